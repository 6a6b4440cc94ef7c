# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The changes to a host's labs: judged, put off where they would end work, and carried out side by side."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from .._engine import Engine
from .._errors import FleetError, LabError
from . import _containers, _jupyter, _kernel, _processes, _rescue
from ._container import Found
from ._jupyter import Activity
from ._options import Options
from ._plan import LabPlan
from ._run import Run
from ._state import StateDir
from ._turns import in_the_way, in_turns, put_off_waiting


def pull_missing(engine: Engine, plans: list[LabPlan]) -> frozenset[str]:
    """Fetch the images that plans lack, for all labs before the first of them is touched; their names."""
    images = {plan.wanted.image for plan in plans for step in plan.steps if step.action == "pull"}
    for name in sorted(images):
        _containers.pull(engine, name)
    return frozenset(images)


def judged(engine: Engine, plans: list[LabPlan], options: Options) -> list[LabPlan]:
    """The plans, with what has to be brought over first; those that would end work are put off."""
    if not any(plan.steps for plan in plans):
        return plans
    plans = _side_by_side(lambda plan: _rescue.planned(engine, plan), plans, options.at_once)
    return plans if options.when_busy == "force" else put_off_waiting(_put_off(engine, plans, options))


def _put_off(engine: Engine, plans: list[LabPlan], options: Options) -> list[LabPlan]:
    """Plans that would end the work of an executing kernel wait for a later run."""

    def judged(plan: LabPlan) -> LabPlan:
        if not plan.ends_processes or plan.found is None or _containers.ends_again_and_again(plan.found):
            return plan
        activity = _activity(engine, plan.found, options.state)
        return plan.defer(activity.reason) if activity.busy else plan

    return _side_by_side(judged, plans, options.at_once)


def _activity(engine: Engine, found: Found, state: StateDir) -> Activity:
    """What goes on in a lab. One that was never seen to serve and has no kernel's process has nothing to lose."""
    token = state.token(found.lab.name)
    activity = _jupyter.activity(found.as_created, token, _jupyter.PATIENCE)
    never_served = not activity.answered and state.noted("unserved", found.lab.name)
    if never_served and _processes.are_server_alone(_containers.processes(engine, found)):
        return Activity(answered=True)
    activity = _kernel.asked(found.as_created, token, activity, _jupyter.PATIENCE)
    if activity.busy:
        return activity
    known = [kernel["id"] for kernel in activity.kernels]
    return replace(activity, beside=_processes.have_other_kernels(_containers.processes(engine, found), known))


def carry_out(engine: Engine, plans: list[LabPlan], options: Options) -> tuple[list[LabPlan], dict[str, FleetError]]:
    """Take every plan's steps; the plans as they were taken, and what went wrong, by lab.

    Trouble of one holds up who is to get what it has, nobody else. Where a kernel has begun to execute since the plans
    were judged, the lab is put off after all.
    """
    failed: dict[str, FleetError] = {}
    taken = {plan.wanted.name: plan for plan in plans}

    def attempt(plan: LabPlan) -> FleetError | None:
        name = plan.wanted.name
        try:
            again = [plan] if plan.deferred else judged(engine, [plan], options)
            taken[name] = plan = put_off_waiting([*again, *late(plan)])[0]
            reason = in_the_way(plan, plans, failed)
            if reason:
                return LabError(f"{name} was left as it is: {reason}.")
            Run(engine, plan, options).all_steps()
        except FleetError as error:
            return error
        except OSError as error:
            return LabError(f"{name}: {error}.")
        return None

    def late(plan: LabPlan) -> list[LabPlan]:
        return [other for name, other in taken.items() if name != plan.wanted.name and other.deferred]

    for turn in in_turns(plans):
        errors = _side_by_side(attempt, turn, options.at_once)
        failed.update({plan.wanted.name: error for plan, error in zip(turn, errors) if error})
    return [taken[plan.wanted.name] for plan in plans], failed


def _side_by_side(function: Callable[[LabPlan], Any], plans: list[LabPlan], at_once: int) -> list[Any]:
    if not plans:
        return []
    with ThreadPoolExecutor(max_workers=at_once) as pool:
        return list(pool.map(function, plans))
