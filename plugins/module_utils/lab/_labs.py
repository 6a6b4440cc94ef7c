# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run over the labs of a host: look, plan, put off what would end work, do the rest side by side, report."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

from .._engine import Engine
from .._errors import FleetError, InvalidInput, LabError
from . import _containers, _generation, _host, _state
from ._container import Found
from ._declared import refuse_twins
from ._lab import Lab, same_place
from ._options import Options
from ._plan import (
    NEXT,
    PREVIOUS,
    LabPlan,
    Step,
    Taken,
    assign_ports,
    by_name,
    difference_of,
    plan_lab,
    plan_purge,
    refuse_labs_of_others,
    refuse_labs_of_rosters,
    to_purge,
)


def make_so(engine: Engine, declared: list[Lab], options: Options, check: bool) -> dict[str, Any]:
    """Bring the labs to what is declared; the module's result.

    Raises InvalidInput before anything is touched, LabError when labs could not be brought there, or another run
    is at it.
    """
    from . import _alone, _change

    plans = _plans(engine, declared, options, check)
    if not any(plan.steps for plan in plans) and (check or not _troubled(plans)):
        return _left_alone(plans, declared, options, check)
    if check:
        warnings = [*_images_to_come(plans, options), *_stays(declared, options)]
        return _report(_change.judged(engine, plans, options), options, warnings)
    with _alone.alone(options.state_dir, options.wait_timeout):
        # A run that was waited for has changed what was found.
        pulled = _change.pull_missing(engine, plans)
        plans = _change.judged(engine, _plans(engine, declared, options, check, pulled), options)
        plans, failures = _change.carry_out(engine, plans, options)
        _remember(plans, options)
        _generation.release(engine, options.state, _containers.observe(engine).labs)
        result = _report(plans, options, _stays(declared, options), failures)
    if failures:
        raise LabError(" ".join(map(str, failures.values())), **{**_logs(failures.values()), **result})
    return result


def settled(engine: Engine, declared: list[Lab], options: Options, check: bool) -> dict[str, Any] | None:
    """The module's result where all is as declared; None where something is to be done or said."""
    plans = _plans(engine, declared, options, check)
    if any(plan.steps for plan in plans) or _troubled(plans):
        return None
    result = _left_alone(plans, declared, options, check)
    return None if result["warnings"] else result


def _left_alone(plans: list[LabPlan], declared: list[Lab], options: Options, check: bool) -> dict[str, Any]:
    if not check:
        _remember(plans, options)
    return _report(plans, options, _stays(declared, options))


def without_engine(declared: list[Lab], options: Options) -> dict[str, Any]:
    """What a first run would do on a host that has no engine yet."""
    labs = [_settled(lab, options, "") for lab in declared]
    labs = assign_ports(labs, {}, _processes(labs, {}), options.first_port)
    if any(lab.gpus for lab in labs):
        from . import _given

        labs = _given.assigned_without_engine(labs)
    return _report([plan_lab(lab, None, _first_steps(lab, set())) for lab in labs], options)


def _troubled(plans: list[LabPlan]) -> bool:
    """Whether a lab runs and, by what the engine knows, serves nobody: it is waited for, as in the run that made it."""
    running = [plan.found for plan in plans if plan.found and plan.found.running]
    return any(found.health == "unhealthy" or _containers.ends_again_and_again(found) for found in running)


def _plans(
    engine: Engine, declared: list[Lab], options: Options, check: bool, pulled: frozenset[str] = frozenset()
) -> list[LabPlan]:
    """What is to be done, found by looking alone. ``pulled``: images that this run has brought already."""
    seen = _containers.observe(engine)
    found, leftovers = by_name(seen.labs)
    _refuse_strangers(declared, seen.strangers)
    _refuse_renamed(declared, found, seen.renamed)
    _host.check_state_dir(options.state_dir)
    others = {name: item for name, item in found.items() if not _host.keeps(options.state_dir, item.state_dir)}
    refuse_labs_of_others(declared, others, options.state_dir)
    refuse_labs_of_rosters(declared, found)
    settled = [_settled(lab, options, engine.rootless_user) for lab in declared]
    if options.generation == "previous":
        settled = _generation.earlier(settled, found, options.state)
        refuse_twins(settled)
    needed = [lab for lab in settled if lab.state != "absent"]
    for lab in needed:
        if lab.name in found:
            _host.refuse_lost_work(lab, found[lab.name].as_created)
    networks = _containers.networks(engine) if any(lab.networks for lab in needed) else {}
    _refuse_unknown_networks(needed, networks)
    found = {name: _connected(item, networks) for name, item in found.items()}
    going = to_purge(found, declared, others) if options.purge else {}
    staying = set(found) - set(going) - {lab.name for lab in declared}
    _refuse_one_place_for_two(needed)
    _refuse_work_of_others(needed, [found[name].as_created for name in sorted(staying)])
    labs = assign_ports(settled, found, [*seen.taken, *_processes(settled, found)], options.first_port, going)
    digests = _containers.digests(engine, {lab.image for lab in needed})
    missing = {lab.image for lab in needed} - set(digests)
    if check:
        digests = {name: is_now for name, is_now in digests.items() if not _comes(name, options)}
    if not check:
        _refuse_missing(needed, missing, options)
    labs = [replace(lab, image_digest=digests.get(lab.image, "")) for lab in labs]
    if any(lab.gpus for lab in needed):
        from . import _given

        if not check:
            _given.refuse_without_toolkit(needed)
        labs = _given.assigned(engine, labs, found, going, seen.others)
    plans = [
        plan_lab(
            lab,
            found.get(lab.name),
            _first_steps(lab, missing | pulled),
            leftovers.get(lab.name, ()),
            astray=_host.astray(found[lab.name]) if lab.name in found else "",
            edited=not options.state.holds(lab),
        )
        for lab in labs
    ]
    _refuse_foreign_addresses([plan.wanted for plan in plans if _is_to_listen(plan)])
    plans += [plan_purge(item, leftovers.get(name, ())) for name, item in going.items()]
    if any(plan.steps for plan in plans):
        from ._turns import in_turns

        in_turns(plans)  # refuses what no order can bring about
    return plans


def _settled(lab: Lab, options: Options, rootless_user: str) -> Lab:
    """The lab with all decided that the host decides: whose it is, and by which token it is entered."""
    if lab.state == "absent":
        return lab
    _host.check_paths(lab, options.work_root, options.state_dir)
    owner = _host.settle_owner(lab, rootless_user)
    token = _state.token_for(lab, options.state)
    return replace(lab, owner=owner, rootless=bool(rootless_user), token=token, token_digest=_state.token_digest(token))


def _first_steps(lab: Lab, missing: set[str]) -> list[Step]:
    to_pull = lab.image in missing and _can_be_pulled(lab.image)
    pull = Step("pull", f"{lab.image} is not on this host") if to_pull else None
    return [step for step in (pull, _host.work_dir_step(lab)) if step]


def _processes(labs: list[Lab], found: dict[str, Found]) -> list[Taken]:
    """Listeners of the host itself; those at the ports of running labs are the engine's own proxies for them.

    None are looked for where every lab serves at its port already.
    """
    serving = {name: item.lab for name, item in found.items() if item.running}
    if all(_serves(serving.get(lab.name), lab) for lab in labs if lab.state != "absent"):
        return []
    proxied = serving.values()
    declared = {lab.port for lab in labs} - {lab.port for lab in proxied}
    return [item for item in _host.listeners(declared) if not any(_proxies(lab, item) for lab in proxied)]


def _serves(now: Lab | None, lab: Lab) -> bool:
    return now is not None and lab.port in (0, now.port) and lab.bind_address == now.bind_address


def _proxies(lab: Lab, listener: Taken) -> bool:
    everywhere = "" if lab.bind_address in ("0.0.0.0", "::") else lab.bind_address
    return (lab.port, everywhere) == (listener.port, listener.address)


def _refuse_strangers(declared: list[Lab], strangers: set[str]) -> None:
    for lab in declared:
        if strangers & {lab.name, lab.name + PREVIOUS, lab.name + NEXT} and lab.state != "absent":
            raise InvalidInput(
                "labs.name", lab.name, "is the name of a container that is no lab of ours: rename or remove that one."
            )


def _refuse_one_place_for_two(labs: list[Lab]) -> None:
    """Links may lead two labs to one directory."""
    places = {lab.name: os.path.realpath(lab.work_dir) for lab in labs if lab.work_dir}
    for (one, here), (other, there) in combinations(places.items(), 2):
        if same_place(here, there):
            raise InvalidInput(
                f"labs[{other}].work_dir", there, f"has to do with {here}, which is that of the lab {one}: each needs "
                "a directory of its own."
            )  # fmt: skip


def _is_to_listen(plan: LabPlan) -> bool:
    return any(step.action in ("start", "restart", "replace") for step in plan.steps) and plan.wanted.state != "stopped"


def _refuse_foreign_addresses(labs: list[Lab]) -> None:
    for lab in labs:
        if not _host.has_address(lab.bind_address):
            raise InvalidInput(
                f"labs[{lab.name}].bind_address", lab.bind_address, "is no address of this host: `ip address` shows "
                "which are; 127.0.0.1 is for this host only, 0.0.0.0 for all."
            )  # fmt: skip


def _refuse_work_of_others(labs: list[Lab], others: list[Lab]) -> None:
    """A lab that is on the host and not declared works on, in a directory of its own."""
    for lab in labs:
        for other in others:
            if lab.work_dir and other.work_dir and same_place(*map(os.path.realpath, (lab.work_dir, other.work_dir))):
                raise InvalidInput(
                    f"labs[{lab.name}].work_dir", lab.work_dir, f"has to do with {other.work_dir}, where the lab "
                    f"{other.name} is at work, which is not declared here: declare that one absent, or take another "
                    "directory.",
                )  # fmt: skip


def _refuse_renamed(declared: list[Lab], found: Mapping[str, Found], renamed: Mapping[str, str]) -> None:
    """A second container would work in the same directory as the first, which goes on under its new name."""
    for lab in declared:
        name = renamed.get(lab.name)
        if name and lab.name not in found:
            raise InvalidInput(
                "labs.name", lab.name, "is the lab whose container somebody renamed: give it its name back, by "
                f"`docker rename {name} {lab.name}`."
            )  # fmt: skip


def _connected(item: Found, known: Mapping[str, str]) -> Found:
    """A lab without the networks that were removed and made anew under it."""
    # One that never ran knows none of their ids.
    names = [name for name in item.lab.networks if item.networks[name] in ("", known.get(name, item.networks[name]))]
    return replace(item, lab=replace(item.lab, networks=names))


def _refuse_unknown_networks(labs: list[Lab], known: Mapping[str, str]) -> None:
    for lab in labs:
        for name in lab.networks:
            if name not in known:
                raise InvalidInput(
                    f"labs[{lab.name}].networks", name, f"is not on this host: `docker network create {name}` makes it."
                )


def _refuse_missing(labs: list[Lab], missing: set[str], options: Options) -> None:
    for lab in labs:
        if lab.image in missing and options.generation == "previous":
            raise InvalidInput(
                f"labs[{lab.name}].image", lab.image,
                "was removed from this host, so the lab cannot go back to it: declare what it shall be instead.",
            )  # fmt: skip
        if lab.image in missing and not _can_be_pulled(lab.image):
            raise InvalidInput(
                f"labs[{lab.name}].image", lab.image, "is not on this host: build it with the role "
                "myjupyter.fleet.jupyter_image, or name one with its registry, such as quay.io/jupyter/scipy-notebook."
            )  # fmt: skip


def _can_be_pulled(image: str) -> bool:
    """A bare name is one of this host's own: nobody else's image of that name is meant."""
    return "/" in image


def _comes(image: str, options: Options) -> bool:
    return _with_tag(image) in map(_with_tag, options.images_to_come)


def _with_tag(image: str) -> str:
    return image if ":" in image.rpartition("/")[2] else f"{image}:latest"


def _images_to_come(plans: list[LabPlan], options: Options) -> list[str]:
    """In a check, the run that is foretold may build an image before it comes to the labs."""
    images = {plan.wanted.image for plan in plans if plan.wanted.state != "absent" and not plan.wanted.image_digest}
    return [
        f"The image {image} is not on this host: the run needs it to be built before its labs."
        for image in sorted(images)
        if not _can_be_pulled(image) and not _comes(image, options)
    ]


def _stays(declared: list[Lab], options: Options) -> list[str]:
    """Of a run that goes back: which labs could not."""
    names = _generation.without(declared, options.state) if options.generation == "previous" else []
    return [f"{name} has not changed since it was made, so it stays as it is." for name in names]


def _remember(plans: list[LabPlan], options: Options) -> None:
    for plan in plans:
        if plan.wanted.state != "absent":
            token = _state.token_digest(options.state.token(plan.wanted.name))
            options.state.note("declared", replace(plan.wanted, token_digest=plan.wanted.token_digest or token))
        elif not plan.deferred:
            for kind in ("declared", "generations", "unserved"):
                options.state.forget_note(kind, plan.wanted.name)


def _report(
    plans: list[LabPlan], options: Options, warnings: Iterable[str] = (), failed: Container[str] = ()
) -> dict[str, Any]:
    return {
        "changed": any(plan.changed for plan in plans),
        "steps": [_step_told(plan, step) for plan in plans if plan.changed for step in plan.steps],
        "deferred": [
            {"lab": plan.wanted.name, "reason": plan.deferred, "steps": [step.action for step in plan.steps]}
            for plan in plans
            if plan.deferred
        ],
        "labs": [{**_lab_told(plan, options), "failed": plan.wanted.name in failed} for plan in plans],
        "diff": {side: _yaml_like(labs) for side, labs in difference_of(plans).items()},
        "warnings": [
            *(
                f"{plan.wanted.name} is left as it is for now ({plan.deferred}): run again later, or with when_busy: "
                "force."
                for plan in plans
                if plan.deferred
            ),
            *warnings,
        ],
    }


def _step_told(plan: LabPlan, step: Step) -> dict[str, Any]:
    return {"lab": plan.wanted.name, "action": step.action, "reason": step.reason}


def _lab_told(plan: LabPlan, options: Options) -> dict[str, Any]:
    lab = plan.found.lab if plan.deferred and plan.found else plan.wanted
    state = "started" if lab.state == "restarted" else lab.state
    told = {"name": lab.name, "state": state, "changed": plan.changed, "deferred": bool(plan.deferred)}
    if state == "absent":
        return told
    if plan.deferred and not plan.found:
        return {**told, "state": "absent"}
    return {
        **told,
        "image": lab.image,
        "bind_address": lab.bind_address,
        "port": lab.port,
        "url": url_of(lab, options.hostname, options.state.token(lab.name) if options.show_tokens else ""),
        "work_dir": lab.work_dir,
        "owner": lab.owner,
        "gpus": lab.gpus,
    }


def url_of(lab: Lab, hostname: str = "", token: str = "") -> str:
    """The address that a person opens; it lets the person in where it has the token."""
    anywhere = lab.bind_address in ("0.0.0.0", "::")
    host = (hostname or socket.gethostname()) if anywhere else lab.bind_address
    query = f"?token={token}" if token else ""
    return f"{lab.scheme}://{f'[{host}]' if ':' in host else host}:{lab.port}{lab.base_url}lab{query}"


def _yaml_like(labs: dict[str, Any]) -> str:
    return json.dumps(labs, indent=2, sort_keys=True) + "\n" if labs else ""


def _logs(failures: Iterable[FleetError]) -> dict[str, Any]:
    return {"log": [line for error in failures for line in error.details.get("log", [])]}
