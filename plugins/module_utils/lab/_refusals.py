# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look at the host shows to be impossible: refused by InvalidInput before anything is touched."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from itertools import combinations

from .._errors import InvalidInput
from . import _host
from ._container import Found
from ._containers import Network
from ._lab import Lab, same_place
from ._plan import NEXT, PREVIOUS, LabPlan


def of_strangers(declared: Iterable[Lab], strangers: Collection[str]) -> None:
    """A container of somebody else's has the name that a lab's own needs, now or while it is replaced."""
    for lab in declared:
        if lab.state != "absent" and not {lab.name, lab.name + PREVIOUS, lab.name + NEXT}.isdisjoint(strangers):
            raise InvalidInput(
                "labs.name", lab.name, "is the name of a container that is no lab of ours: rename or remove that one."
            )


def of_renamed(declared: Iterable[Lab], found: Mapping[str, Found], renamed: Mapping[str, str]) -> None:
    """A second container would work in the same directory as the first, which goes on under its new name."""
    for lab in declared:
        name = renamed.get(lab.name)
        if name and lab.name not in found:
            raise InvalidInput(
                "labs.name", lab.name, "is the lab whose container somebody renamed: give it its name back, by "
                f"`docker rename {name} {lab.name}`."
            )  # fmt: skip


def of_others(declared: Iterable[Lab], others: Mapping[str, Found], state_dir: str) -> None:
    """A lab of another state directory is another user's, who has its token."""
    for lab in declared:
        if lab.name in others:
            raise InvalidInput(
                "labs.name", lab.name, f"is a lab that is kept in {others[lab.name].state_dir}, and this run keeps its "
                f"own in {state_dir}: give that directory as state_dir, or choose another name. Where it was moved, "
                "make it a link to where it is now."
            )  # fmt: skip


def of_rosters(declared: Iterable[Lab], found: Mapping[str, Found]) -> None:
    """A lab of a roster is changed by that roster alone: another's of the same name would take its place."""
    for lab in declared:
        roster = found[lab.name].as_created.roster if lab.name in found else ""
        if roster and roster != lab.roster:
            raise InvalidInput(
                "labs.name", lab.name, f"is a lab of the roster {roster}: choose another name, or take the person out "
                "of that roster."
            )  # fmt: skip


def of_lost_work(labs: Iterable[Lab], found: Mapping[str, Found]) -> None:
    """An empty directory in place of somebody's work would hide that its disk is not mounted, say."""
    for lab in labs:
        before = found[lab.name].as_created.work_dir if lab.name in found else ""
        if lab.work_dir and lab.work_dir == before and not os.path.lexists(lab.work_dir):
            raise InvalidInput(
                f"labs[{lab.name}].work_dir", lab.work_dir, "is where the lab has its work, and is not there any more: "
                "mount its disk or put it back, or make the directory for a new beginning.",
            )  # fmt: skip


def of_shared_work(labs: Iterable[Lab], staying: Iterable[Lab]) -> None:
    """Two labs in one directory, be it by links. ``staying`` are those on the host that are not declared."""
    mine, theirs = _places(labs), _places(staying)
    for (one, here), (other, there) in combinations(mine.items(), 2):
        if same_place(here, there):
            raise InvalidInput(
                f"labs[{other}].work_dir", there, f"has to do with {here}, which is that of the lab {one}: each needs "
                "a directory of its own."
            )  # fmt: skip
    for (name, here), (other, there) in ((this, that) for this in mine.items() for that in theirs.items()):
        if same_place(here, there):
            raise InvalidInput(
                f"labs[{name}].work_dir", here, f"has to do with {there}, where the lab {other} is at work, which is "
                "not declared here: declare that one absent, or take another directory.",
            )  # fmt: skip


def of_networks(labs: Iterable[Lab], known: Mapping[str, Network]) -> None:
    """Those that are not there, and such as let nobody in."""
    for lab in labs:
        for name in lab.networks:
            if name not in known:
                raise InvalidInput(
                    f"labs[{lab.name}].networks", name, f"is not on this host: `docker network create {name}` makes it."
                )
        if lab.networks and all(known[name].internal for name in lab.networks):
            raise InvalidInput(
                f"labs[{lab.name}].networks", lab.networks[0], "is internal, so the lab would have no port here: "
                "name another one beside it, such as bridge."
            )  # fmt: skip


def of_missing_images(labs: Iterable[Lab], missing: Collection[str], going_back: bool) -> None:
    """Images that are not on the host and that no registry is known for."""
    for lab in labs:
        if lab.image in missing and going_back:
            raise InvalidInput(
                f"labs[{lab.name}].image", lab.image,
                "was removed from this host, so the lab cannot go back to it: declare what it shall be instead.",
            )  # fmt: skip
        if lab.image in missing and not can_be_pulled(lab.image):
            raise InvalidInput(
                f"labs[{lab.name}].image", lab.image, "is not on this host: build it with the role "
                "myjupyter.fleet.jupyter_image, or name one with its registry, such as quay.io/jupyter/scipy-notebook."
            )  # fmt: skip


def of_foreign_addresses(plans: Iterable[LabPlan]) -> None:
    """Labs that are to listen at an address which this host does not have."""
    for lab in (plan.wanted for plan in plans if _is_to_listen(plan)):
        if not _host.has_address(lab.bind_address):
            raise InvalidInput(
                f"labs[{lab.name}].bind_address", lab.bind_address, "is no address of this host: `ip address` shows "
                "which are; 127.0.0.1 is for this host only, 0.0.0.0 for all."
            )  # fmt: skip


def can_be_pulled(image: str) -> bool:
    """A bare name is one of this host's own: nobody else's image of that name is meant."""
    return "/" in image


def _places(labs: Iterable[Lab]) -> dict[str, str]:
    return {lab.name: os.path.realpath(lab.work_dir) for lab in labs if lab.work_dir}


def _is_to_listen(plan: LabPlan) -> bool:
    return any(step.action in ("start", "restart", "replace") for step in plan.steps) and plan.wanted.state != "stopped"
