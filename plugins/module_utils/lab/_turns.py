# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In whose turn each lab is changed: a GPU, a port or a work directory is one lab's, at every moment of a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from .._errors import InvalidInput
from ._lab import same_place, same_port
from ._plan import LabPlan

TOLD = {"gpus": "GPU", "port": "port", "work_dir": "work directory"}


def in_turns(plans: Sequence[LabPlan]) -> list[list[LabPlan]]:
    """The plans in turns: a lab gets what another has now after that one. Within a turn all go side by side.

    Raises InvalidInput for labs that exchange what they have: neither can go first.
    """
    turns: list[list[LabPlan]] = []
    before = {plan.wanted.name: waits_for(plan, plans) for plan in plans}
    left = list(plans)
    while left:
        names = {plan.wanted.name for plan in left}
        turn = [plan for plan in left if not before[plan.wanted.name] & names]
        if not turn:
            _refuse_exchange(left)
        turns.append(turn)
        left = [plan for plan in left if before[plan.wanted.name] & names]
    return turns


def waits_for(plan: LabPlan, plans: Iterable[LabPlan]) -> set[str]:
    """The labs that have, until their own plan is carried out, what this plan gives to its lab."""
    return {other.wanted.name for other in plans if _disputed(plan, other)}


def in_the_way(plan: LabPlan, plans: Iterable[LabPlan], names: Collection[str]) -> str:
    """Which of the labs ``names`` still has what this plan gives to its lab, as a reason; '' for none of them."""
    for other in sorted(plans, key=lambda other: other.wanted.name):
        option = _disputed(plan, other)
        if option and other.wanted.name in names:
            return f"its {TOLD[option]} is still that of {other.wanted.name}"
    return ""


def put_off_waiting(plans: Sequence[LabPlan]) -> list[LabPlan]:
    """The plans, where one that waits for a lab that is put off is put off with it."""
    late = {plan.wanted.name for plan in plans if plan.deferred}
    if not late:
        return list(plans)
    judged: dict[str, LabPlan] = {}
    for turn in in_turns(plans):
        for plan in turn:
            name, reason = plan.wanted.name, in_the_way(plan, plans, late)
            judged[name] = plan.defer(reason) if reason and not plan.deferred else plan
            late |= {name} if reason else set()
    return [judged[plan.wanted.name] for plan in plans]


def _disputed(plan: LabPlan, other: LabPlan) -> str:
    """The option of a plan's lab that another lab has until its own plan is carried out; '' for none."""
    if not plan.steps or plan.wanted.goes or not other.found or other.wanted.name == plan.wanted.name:
        return ""
    lab, theirs = plan.wanted, other.found.lab
    now = plan.found.lab if plan.found else None
    keeps_gpus = now and (now.gpus, now.gpus_shared) == (lab.gpus, lab.gpus_shared)
    both_share = lab.gpus_shared and theirs.gpus_shared
    if set(lab.gpus) & set(theirs.gpus) and not keeps_gpus and not both_share:
        return "gpus"
    if other.found.running and same_port(lab, theirs):
        return "port"
    keeps_work_dir = now and now.work_dir == lab.work_dir
    return "work_dir" if same_place(lab.work_dir, theirs.work_dir) and not keeps_work_dir else ""


def _refuse_exchange(left: Sequence[LabPlan]) -> None:
    plan = left[0]
    other, option = next((other, _disputed(plan, other)) for other in left if _disputed(plan, other))
    raise InvalidInput(
        f"labs[{plan.wanted.name}].{option}", getattr(plan.wanted, option),
        f"is the lab {other.wanted.name}'s, which is to get its in exchange: take the {TOLD[option]} from one of them "
        "in a run of its own first.",
    )  # fmt: skip
