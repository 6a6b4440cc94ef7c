# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run over the labs of a host: look, plan, put off what would end work, do the rest side by side, report."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from .._engine import Engine
from .._errors import LabError
from . import _containers, _generation, _host, _refusals, _report, _state
from ._container import Found
from ._declared import refuse_twins
from ._lab import Lab, name_and_tag
from ._options import Options
from ._plan import LabPlan, Step, Taken, assign_ports, by_name, plan_lab, plan_purge, to_purge


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
        return _report.told(_change.judged(engine, plans, options), options, warnings)
    with _alone.alone(options.state_dir, options.wait_timeout):
        # A run that was waited for has changed what was found.
        pulled = _change.pull_missing(engine, plans)
        plans = _change.judged(engine, _plans(engine, declared, options, check, pulled), options)
        plans, failures = _change.carry_out(engine, plans, options)
        _remember(plans, options)
        _generation.release(engine, options.state, _containers.observe(engine).labs)
        result = _report.told(plans, options, _stays(declared, options), failures)
    if failures:
        raise LabError(" ".join(map(str, failures.values())), **{**_report.log_of(failures.values()), **result})
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
    return _report.told(plans, options, _stays(declared, options))


def without_engine(declared: list[Lab], options: Options) -> dict[str, Any]:
    """What a first run would do on a host that has no engine yet."""
    labs = [_settled(lab, options, "") for lab in declared]
    labs = assign_ports(labs, {}, _processes(labs, {}), options.first_port)
    if any(lab.gpus for lab in labs):
        from . import _given

        labs = _given.assigned_without_engine(labs)
    return _report.told([plan_lab(lab, None, _first_steps(lab, set())) for lab in labs], options)


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
    _host.check_state_dir(options.state_dir)
    others = {name: item for name, item in found.items() if not _host.keeps(options.state_dir, item.state_dir)}
    _refusals.of_strangers(declared, seen.strangers)
    _refusals.of_renamed(declared, found, seen.renamed)
    _refusals.of_others(declared, others, options.state_dir)
    _refusals.of_rosters(declared, found)
    labs = [_settled(lab, options, engine.rootless_user) for lab in declared]
    if options.generation == "previous":
        labs = _generation.earlier(labs, found, options.state)
        refuse_twins(labs)
    needed = [lab for lab in labs if lab.state != "absent"]
    networks = _containers.networks(engine) if any(lab.networks for lab in needed) else {}
    found = {name: _connected(item, networks) for name, item in found.items()}
    going = to_purge(found, declared, others) if options.purge else {}
    staying = set(found) - set(going) - {lab.name for lab in declared}
    _refusals.of_lost_work(needed, found)
    _refusals.of_networks(needed, networks)
    _refusals.of_shared_work(needed, [found[name].as_created for name in sorted(staying)])
    labs = assign_ports(labs, found, [*seen.taken, *_processes(labs, found)], options.first_port, going)
    labs, missing = _with_images(engine, labs, options, check)
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
    _refusals.of_foreign_addresses(plans)
    plans += [plan_purge(item, leftovers.get(name, ())) for name, item in going.items()]
    if any(plan.steps for plan in plans):
        from ._turns import in_turns

        in_turns(plans)  # refuses what no order can bring about
    return plans


def _with_images(engine: Engine, labs: list[Lab], options: Options, check: bool) -> tuple[list[Lab], frozenset[str]]:
    """The labs, each with what its image is, and the names of the images that are not on the host.

    A check knows of no image that the run which it foretells makes anew.
    """
    named = {lab.image for lab in labs if lab.state != "absent"}
    digests = _containers.digests(engine, named)
    missing = frozenset(named - set(digests))
    if check:
        digests = {name: is_now for name, is_now in digests.items() if not _comes(name, options)}
    else:
        needed = [lab for lab in labs if lab.state != "absent"]
        _refusals.of_missing_images(needed, missing, going_back=options.generation == "previous")
    return [replace(lab, image_digest=digests.get(lab.image, "")) for lab in labs], missing


def _settled(lab: Lab, options: Options, rootless_user: str) -> Lab:
    """The lab with all decided that the host decides: whose it is, and by which token it is entered."""
    if lab.state == "absent":
        return lab
    _host.check_paths(lab, options.work_root, options.state_dir)
    owner = _host.settle_owner(lab, rootless_user)
    token = _state.token_for(lab, options.state)
    return replace(lab, owner=owner, rootless=bool(rootless_user), token=token, token_digest=_state.token_digest(token))


def _first_steps(lab: Lab, missing: Collection[str]) -> list[Step]:
    to_pull = lab.image in missing and _refusals.can_be_pulled(lab.image)
    pull = Step("pull", f"{lab.image} is not on this host") if to_pull else None
    return [step for step in (pull, _host.work_dir_step(lab)) if step]


def _processes(labs: list[Lab], found: dict[str, Found]) -> list[Taken]:
    """Listeners of the host itself, without those by which the engine lets people into running labs.

    None are looked for where every lab serves at its port already.
    """
    serving = {name: item for name, item in found.items() if item.running}
    if all(_serves(serving.get(lab.name), lab) for lab in labs if lab.state != "absent"):
        return []
    proxies = {place for item in serving.values() for place in item.published}
    return _host.listeners({lab.port for lab in labs}, proxies)


def _serves(now: Found | None, lab: Lab) -> bool:
    return now is not None and lab.port in (0, now.lab.port) and lab.bind_address == now.lab.bind_address


def _connected(item: Found, known: Mapping[str, _containers.Network]) -> Found:
    """A lab without the networks that were removed and made anew under it."""
    # One that never ran knows none of their ids.
    gone = {name for name in item.lab.networks if name in known and item.networks[name] not in ("", known[name].id)}
    return replace(item, lab=replace(item.lab, networks=[name for name in item.lab.networks if name not in gone]))


def _comes(image: str, options: Options) -> bool:
    return name_and_tag(image) in map(name_and_tag, options.images_to_come)


def _images_to_come(plans: list[LabPlan], options: Options) -> list[str]:
    """In a check, the run that is foretold may build an image before it comes to the labs."""
    images = {plan.wanted.image for plan in plans if plan.wanted.state != "absent" and not plan.wanted.image_digest}
    return [
        f"The image {image} is not on this host: the run needs it to be built before its labs."
        for image in sorted(images)
        if not _refusals.can_be_pulled(image) and not _comes(image, options)
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
