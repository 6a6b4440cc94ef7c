# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is found to what is wanted: the ordered steps, each with its reason."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from .._errors import InvalidInput
from ._container import Found
from ._lab import Lab, plain_path, same_address, spec_of

# What the engine changes while the container runs; anything else makes a new container.
LIVE = ("memory", "cpus", "pids_limit", "restart_policy", "networks")
LIMITS = ("memory", "cpus", "pids_limit")
PREVIOUS, NEXT = ".previous", ".next"
SERVES, HAS, WANTS = range(3)  # a lab and its port


@dataclass(frozen=True)
class Taken:
    """A TCP port of the host that somebody listens on. ``address`` is '' for all addresses."""

    port: int
    address: str
    who: str


@dataclass(frozen=True)
class Step:
    """One thing to do to one lab, and whether doing it ends processes of people at work."""

    action: str
    reason: str
    ends_processes: bool = False


@dataclass(frozen=True)
class LabPlan:
    """What is to be done to one lab. ``deferred`` says why nothing is done now, or is empty."""

    wanted: Lab
    found: Found | None
    steps: tuple[Step, ...]
    leftovers: tuple[Found, ...] = ()
    deferred: str = ""

    @property
    def changed(self) -> bool:
        return bool(self.steps) and not self.deferred

    @property
    def ends_processes(self) -> bool:
        return any(step.ends_processes for step in self.steps)

    def defer(self, reason: str) -> LabPlan:
        return replace(self, deferred=reason)


def assign_ports(
    wanted: Iterable[Lab], found: Mapping[str, Found], taken: Iterable[Taken], first_port: int,
    going: Collection[str] = (),
) -> list[Lab]:  # fmt: skip
    """The labs, each with its port: the one declared, the one it has unless somebody took it meanwhile, else the first
    from ``first_port`` up that nobody has.

    ``taken`` are the listeners that are no labs of ours, ``going`` are labs that are removed in this run. Raises
    InvalidInput for a declared port that is not to be had.
    """
    wanted = list(wanted)
    automatic = {lab.name for lab in wanted if not lab.port}
    labs = [_keep_port(lab, found.get(lab.name)) for lab in wanted]
    holders = [*taken, *_undeclared(found, {lab.name for lab in labs}.union(going))]
    claims = {lab.name: _claim(lab, found.get(lab.name)) for lab in labs}
    for lab in sorted(labs, key=lambda lab: claims[lab.name]):
        if not lab.port or lab.state == "absent":
            continue
        stays_down = lab.state == "stopped" and claims[lab.name] == HAS
        holder = "" if claims[lab.name] == SERVES or stays_down else _holder(lab, holders)
        if not holder:
            holders.append(_taker(lab))
        elif lab.name in automatic:
            labs[labs.index(lab)] = replace(lab, port=0)
        else:
            raise InvalidInput(
                f"labs[{lab.name}].port", lab.port, f"is taken by {holder}: free it, or choose another or auto."
            )
    # Nobody has to wait for a port that is chosen, so it is none that a lab has until it is changed.
    used = {item.port for item in holders} | {item.lab.port for item in found.values()}
    for position, lab in enumerate(labs):
        if not lab.port and lab.state != "absent":
            labs[position] = replace(lab, port=_first_free(lab, first_port, used))
            used.add(labs[position].port)
    return labs


def by_name(found: Iterable[Found]) -> tuple[dict[str, Found], dict[str, tuple[Found, ...]]]:
    """Each lab's container, and beside it what an interrupted run left of it.

    A lab whose own container is gone is the one that was put aside for it.
    """
    labs: dict[str, Found] = {}
    leftovers: dict[str, tuple[Found, ...]] = {}
    for item in sorted(found, key=lambda item: (item.name.endswith(NEXT), item.name.endswith(PREVIOUS))):
        name = item.lab.name
        if name in labs or item.name == name + NEXT:
            leftovers[name] = (*leftovers.get(name, ()), item)
        else:
            labs[name] = item
    return labs, leftovers


def plan_lab(
    wanted: Lab, found: Found | None, before: Iterable[Step] = (), leftovers: tuple[Found, ...] = (),
    astray: str = "", edited: bool = False,
) -> LabPlan:  # fmt: skip
    """The steps for one settled lab. ``before``: what its image and work directory need first; ``astray``: why it runs
    on what is not its work directory any more; ``edited``: somebody changed the file of its token or configuration.
    """
    put_back = [Step("put back", "an earlier run was interrupted")] if found and found.name != wanted.name else []
    clear = _clearing(leftovers, found)
    if wanted.goes:
        removal = [_ending("remove", "it is declared absent", found)] if found else []
        return LabPlan(wanted, found, (*removal, *clear), leftovers)
    change = _creation(wanted) if found is None else _alteration(wanted, found)
    if found and found.running and wanted.state != "stopped" and not any(step.ends_processes for step in change):
        change += [_ending("restart", astray, found)] if astray and found.status == "running" else []
        change += [Step("write token", "its file, or the configuration beside it, was changed")] if edited else []
    return LabPlan(wanted, found, (*before, *put_back, *change, *clear), leftovers)


def to_purge(found: Mapping[str, Found], declared: Iterable[Lab], others: Collection[str] = ()) -> dict[str, Found]:
    """Those of our labs that nobody declares, by name; labs of rosters come and go with their rosters, ``others``
    are those of other users."""
    names = {lab.name for lab in declared}.union(others)
    return {name: item for name, item in sorted(found.items()) if name not in names and not item.as_created.roster}


def plan_purge(found: Found, leftovers: tuple[Found, ...] = ()) -> LabPlan:
    """Away with a lab of ours that nobody declares; its work directory stays."""
    steps = (_ending("remove", "no lab of this name is declared, and purge is on", found), *_clearing(leftovers, found))
    return LabPlan(replace(found.lab, state="absent"), found, steps, leftovers)


def differences(wanted: Lab, found: Lab) -> dict[str, tuple[Any, Any]]:
    """Option -> (found, wanted) for all that differs. An image counts by what it is, not by its name."""
    left, right = ({**spec, "mounts": _sorted(spec["mounts"])} for spec in (spec_of(found), spec_of(wanted)))
    if left["image_digest"] == right["image_digest"]:
        left.pop("image"), right.pop("image")
    return {key: (left[key], right[key]) for key in right if left[key] != right[key]}


def _sorted(mounts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Mounts by what they are: in whichever order, with or without a slash at the end."""
    paths = ("source", "target")
    plain = [{**mount, **{key: plain_path(mount[key]) for key in paths}} for mount in mounts]
    return sorted(plain, key=lambda mount: mount["target"])


def difference_of(plans: Iterable[LabPlan]) -> dict[str, Any]:
    """Before and after of the labs that change, as --diff shows them."""
    before, after = {}, {}
    for plan in plans:
        name = plan.wanted.name
        if not plan.changed:
            continue
        if plan.found:
            before[name] = _shown(plan.found.lab)
        if plan.wanted.state != "absent":
            state = "stopped" if plan.wanted.state == "stopped" else "started"
            after[name] = _shown(replace(plan.wanted, state=state))
    return {"before": before, "after": after}


def _keep_port(lab: Lab, found: Found | None) -> Lab:
    return replace(lab, port=found.lab.port) if found and not lab.port else lab


def _undeclared(found: Mapping[str, Found], known: Collection[str]) -> list[Taken]:
    return [_taker(item.lab) for name, item in found.items() if name not in known]


def _taker(lab: Lab) -> Taken:
    return Taken(lab.port, lab.bind_address, f"the lab {lab.name}")


def _claim(lab: Lab, found: Found | None) -> int:
    """Who serves at a port comes before who has it and is down, and both before who only wants it."""
    if not found or (found.lab.port, found.lab.bind_address) != (lab.port, lab.bind_address):
        return WANTS
    return SERVES if found.running else HAS


def _holder(lab: Lab, holders: Iterable[Taken]) -> str:
    """Who has what a lab's port is to be; '' for nobody."""
    taken = (item.who for item in holders if item.port == lab.port and same_address(item.address, lab.bind_address))
    return next(taken, "")


def _first_free(lab: Lab, first_port: int, used: set[int]) -> int:
    for port in range(first_port, 65536):
        if port not in used:
            return port
    raise InvalidInput(f"labs[{lab.name}].port", "auto", f"finds no free port from {first_port} up: lower first_port.")


def _creation(wanted: Lab) -> list[Step]:
    start = [Step("start", "it is declared started")] if wanted.state != "stopped" else []
    return [Step("create", "there is no such lab yet"), *start]


def _alteration(wanted: Lab, found: Found) -> list[Step]:
    changes = differences(wanted, found.lab)
    lasting = sorted(key for key, (_old, new) in changes.items() if key not in LIVE or (key in LIMITS and not new))
    if lasting:
        return [_ending("replace", _told(changes, lasting), found)]
    steps = _live_steps(changes, found)
    if wanted.state == "stopped" and found.running:
        return [*steps, _ending("stop", "it is declared stopped", found)]
    if wanted.state == "restarted" and found.running:
        return [*steps, _ending("restart", "it is declared restarted", found)]
    if wanted.state != "stopped" and found.status == "paused":
        return [*steps, Step("resume", "it is paused")]
    if wanted.state != "stopped" and not found.running:
        return [*steps, Step("start", f"it is {found.status}")]
    return steps


def _live_steps(changes: Mapping[str, tuple[Any, Any]], found: Found) -> list[Step]:
    limits = sorted(key for key in changes if key in LIVE and key != "networks")
    steps = []
    if limits:
        # A kernel that already uses more than a lowered limit is killed by the kernel of the host.
        old, new = changes.get("memory", (0, 0))
        lowered = found.running and new > 0 and (old == 0 or new < old)
        steps.append(Step("update", _told(changes, limits), ends_processes=lowered))
    if "networks" in changes:
        steps.append(Step("reconnect", _told(changes, ["networks"])))
    return steps


def _clearing(leftovers: Collection[Found], found: Found | None) -> list[Step]:
    """What was put aside takes its place again where its successor does not serve, which ends that one."""
    ends = bool(found and found.running and any(item.name.endswith(PREVIOUS) for item in leftovers))
    return [Step("clear away", "an earlier run was interrupted", ends_processes=ends)] if leftovers else []


def _ending(action: str, reason: str, found: Found) -> Step:
    return Step(action, reason, ends_processes=found.running)


def _told(changes: Mapping[str, tuple[Any, Any]], keys: Iterable[str]) -> str:
    def one(key: str) -> str:
        old, new = changes[key]
        long = isinstance(old, (dict, list)) or key.endswith("_digest")
        return f"{key.replace('_digest', '')} changed" if long else f"{key} {old!r} -> {new!r}"

    return ", ".join(dict.fromkeys(one(key) for key in keys))


def _shown(lab: Lab) -> dict[str, Any]:
    return {"state": lab.state, **{key: value for key, value in spec_of(lab).items() if value not in ("", 0, [], {})}}
