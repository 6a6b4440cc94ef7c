# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which person's lab is on which host: who has one stays, who is new goes where there is room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ._roster import size_told


class DoesNotFit(ValueError):
    """A roster that the hosts cannot take as it is: one sentence for each reason, one a line."""


@dataclass(frozen=True)
class Need:
    """What one lab takes of a host. ``hosts``: where it may be."""

    lab: str
    told: str
    hosts: tuple[str, ...] = ()
    memory: Mapping[str, int] = field(default_factory=dict)
    gpus: Mapping[str, int] = field(default_factory=dict)

    def of(self, host: str) -> tuple[int, int]:
        """(memory, GPUs) that it takes of this host, whose labs may have defaults of their own."""
        return self.memory[host], self.gpus[host]


@dataclass
class Room:
    """What a host has, and what is still free of it."""

    name: str
    memory: int
    cpus: float
    gpus: int
    labs: int = 0
    free_memory: int = 0
    free_gpus: int = 0

    def fits(self, memory: int, gpus: int) -> bool:
        return memory <= self.free_memory and (gpus == 0 or gpus <= self.free_gpus)

    def take(self, memory: int, gpus: int) -> None:
        self.free_memory -= memory
        self.free_gpus -= gpus
        self.labs += 1

    @property
    def told(self) -> str:
        gpus = f" and {max(self.free_gpus, 0)} of {_gpus(self.gpus)}" if self.gpus else ""
        return f"{self.name} {size_told(max(self.free_memory, 0))} of {size_told(self.memory)}{gpus}"


def homes(
    labs: Iterable[str],
    running: Mapping[str, Sequence[str]],
    work: Mapping[str, Sequence[str]],
    remembered: Mapping[str, str],
    answered: Iterable[str],
) -> tuple[dict[str, str], list[str]]:
    """Each lab's host, where it has one, and a sentence for each lab that has several.

    A container is where the lab is. Else what is remembered counts, unless that host answers and knows nothing of
    the lab: then it was never made. Else the work tells.
    """
    known, answers = {}, set(answered)
    doubtful = []
    for lab in labs:
        told = remembered.get(lab, "")
        at = list(running.get(lab, ()))
        if not at and told and (told not in answers or told in work.get(lab, ())):
            at = [told]
        at = at or list(work.get(lab, ()))
        if told in at:
            at = [told]
        if len(at) > 1:
            what = "a lab" if lab in running else "work"
            doubtful.append(
                f"{lab} has {what} on {' and '.join(sorted(at))}, and nothing remembers which is right: "
                f"put the other one's aside, `docker rename {lab} ...` or `mv` of the work directory."
            )
        elif at:
            known[lab] = at[0]
    return known, doubtful


def settle(fixed: Iterable[tuple[Need, str]], rooms: Mapping[str, Room]) -> list[str]:
    """Take what labs need of the hosts that they are on; a sentence for each that has no room there."""
    refusals = []
    for need, host in fixed:
        room = rooms[host]
        if room.fits(*need.of(host)):
            room.take(*need.of(host))
        else:
            refusals.append(
                f"{need.told} needs {_amount(*need.of(host))}, and is on {host}, where so much is not free: "
                f"{room.told}. A lab stays with its work: ask for less, or free some."
            )
    return refusals


def place(needs: Iterable[Need], rooms: Mapping[str, Room]) -> tuple[dict[str, str], list[str]]:
    """A host for each new lab, and a sentence for each that fits nowhere.

    They are spread evenly; where that leaves somebody out, they are packed as tightly as it goes.
    """
    wanted = sorted(needs, key=_hardest_first)
    spread, left = _placed(wanted, rooms, _emptiest)
    if left:
        packed, none = _placed(wanted, rooms, _tightest)
        if not none:
            return packed[0], []
    placed, after = spread
    return placed, [_refusal(need, after) for need in left]


def _placed(
    needs: Iterable[Need], rooms: Mapping[str, Room], key: Any
) -> tuple[tuple[dict[str, str], dict[str, Room]], list[Need]]:
    """((lab -> host, the hosts as they then are), what fits nowhere)."""
    after = {name: Room(**vars(room)) for name, room in rooms.items()}
    placed: dict[str, str] = {}
    left = []
    for need in needs:
        fitting = [after[host] for host in need.hosts if after[host].fits(*need.of(host))]
        if not fitting:
            left.append(need)
            continue
        _key, host = min((key(room, *need.of(room.name)), room.name) for room in fitting)
        after[host].take(*need.of(host))
        placed[need.lab] = host
    return (placed, after), left


def _hardest_first(need: Need) -> tuple[Any, ...]:
    gpus, memory = max(need.gpus.values(), default=0), max(need.memory.values(), default=0)
    return len(need.hosts), -gpus, -memory, need.lab


def _emptiest(room: Room, memory: int, gpus: int) -> tuple[Any, ...]:
    """By the share that would be taken, then by labs to a processor."""
    used = 1 - (room.free_memory - memory) / (room.memory or 1)
    of_gpus = 1 - (room.free_gpus - gpus) / room.gpus if gpus and room.gpus else 0
    return round(max(used, of_gpus), 6), room.labs / (room.cpus or 1), room.name


def _tightest(room: Room, memory: int, gpus: int) -> tuple[Any, ...]:
    return room.free_gpus - gpus, room.free_memory - memory, room.name


def _refusal(need: Need, rooms: Mapping[str, Room]) -> str:
    free = ", ".join(rooms[host].told for host in need.hosts)
    return f"{need.told} needs {_amount(*need.of(need.hosts[0]))} and fits nowhere; free: {free}."


def _amount(memory: int, gpus: int) -> str:
    return f"{size_told(memory)}{f' and {_gpus(gpus)}' if gpus else ''}"


def _gpus(number: int) -> str:
    return f"{number} GPU{'s' * (number != 1)}"
