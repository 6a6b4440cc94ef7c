# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which GPUs each lab gets: one that is not shared is one lab's."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from .._errors import InvalidInput
from .._gpu import Device
from ._container import Found
from ._lab import Lab


@dataclass(frozen=True)
class Taker:
    """Who has a GPU. ``shared``: whether labs that share their GPUs may have it, too."""

    uuid: str
    who: str
    shared: bool


def assign_gpus(
    wanted: Iterable[Lab], found: Mapping[str, Found], going: Collection[str], others: Iterable[Taker],
    devices: Sequence[Device],
) -> list[Lab]:  # fmt: skip
    """The labs, each with its GPUs by UUID: those declared, those it has, else the first that are free.

    ``going`` are labs that are removed in this run, ``others`` hold GPUs and are no labs of ours. Raises InvalidInput
    for GPUs that are not to be had.
    """
    labs = list(wanted)
    declared = {lab.name for lab in labs}
    asking = [lab for lab in labs if _asks(lab)]
    by_number = [lab for lab in asking if lab.gpus[0].isdecimal()]
    by_name = [lab for lab in asking if lab not in by_number]
    # Who shares comes last: any GPU that is left will do.
    by_number.sort(key=lambda lab: lab.gpus_shared)

    held = [
        taker
        for name, item in sorted(found.items())
        if name not in declared and name not in going
        for taker in _takers(item.lab, item.lab.gpus)
    ]
    given: dict[str, list[str]] = {}
    for lab in by_number:
        given[lab.name] = _kept(lab, found.get(lab.name), held, devices)
        held += _takers(lab, given[lab.name])
    held += others
    for lab in by_name:
        given[lab.name] = _named(lab, found.get(lab.name), held, devices)
        held += _takers(lab, given[lab.name])
    for lab in by_number:
        more = _free(lab, given[lab.name], held, devices)
        given[lab.name] += more
        held += _takers(lab, more)
    return [replace(lab, gpus=sorted(given[lab.name])) if lab.name in given else lab for lab in labs]


def uuids_of(names: Iterable[str], devices: Sequence[Device]) -> list[str]:
    """The UUIDs behind names in a container's request: UUIDs, indexes, or whole GPUs for all their parts."""
    wanted = set(names)
    wholes = {name.partition(":")[0] for name in wanted if name.isdecimal()}
    return [
        device.uuid
        for device in devices
        if {device.uuid, device.index, device.whole} & wanted or device.index.partition(":")[0] in wholes
    ]


def _asks(lab: Lab) -> bool:
    return bool(lab.gpus) and not lab.goes


def _takers(lab: Lab, uuids: Iterable[str]) -> list[Taker]:
    return [Taker(uuid, f"the lab {lab.name}", lab.gpus_shared) for uuid in uuids]


def _in_the_way(uuid: str, lab: Lab, held: Iterable[Taker]) -> list[Taker]:
    return [taker for taker in held if taker.uuid == uuid and not (taker.shared and lab.gpus_shared)]


def _kept(lab: Lab, found: Found | None, held: list[Taker], devices: Sequence[Device]) -> list[str]:
    """What a lab has already and may keep. Where nothing is seen at all, nothing is known to be gone."""
    there = {device.uuid for device in devices}
    has = [uuid for uuid in (found.lab.gpus if found else []) if uuid in there or not there]
    return [uuid for uuid in has if not _in_the_way(uuid, lab, held)][: int(lab.gpus[0])]


def _named(lab: Lab, found: Found | None, held: list[Taker], devices: Sequence[Device]) -> list[str]:
    has = found.lab.gpus if found else []
    everything = [device.uuid for device in devices] or has
    wanted = everything if lab.gpus == ["all"] else lab.gpus
    if not wanted:
        raise _no_gpu(lab)
    for uuid in wanted:
        if uuid not in everything:
            _refuse_unknown(lab, uuid, devices)
        takers = _in_the_way(uuid, lab, held)
        if takers:
            raise InvalidInput(
                f"labs[{lab.name}].gpus", uuid,
                f"is taken by {_all(takers)}: {_told(lab, held, devices)}, or share it ({_both(takers)}).",
            )  # fmt: skip
    return list(wanted)


def _free(lab: Lab, has: list[str], held: list[Taker], devices: Sequence[Device]) -> list[str]:
    """As many as a lab lacks, those first that the fewest have."""
    lacking = int(lab.gpus[0]) - len(has)
    if lacking and not devices:
        raise _no_gpu(lab)
    takers = {device.uuid: [taker for taker in held if taker.uuid == device.uuid] for device in devices}
    free = [uuid for uuid in takers if uuid not in has and not _in_the_way(uuid, lab, held)]
    if lacking > len(free):
        number = int(lab.gpus[0])
        if number > len(devices):
            raise InvalidInput(f"labs[{lab.name}].gpus", number, f"is more than this host has: {_known(devices)}.")
        raise InvalidInput(
            f"labs[{lab.name}].gpus", number,
            f"is more than can be had: {_whose(held, devices)}; {_told(lab, held, devices)}, or share them "
            "(gpus_shared: true in all these labs).",
        )  # fmt: skip
    return sorted(free, key=lambda uuid: len(takers[uuid]))[:lacking]


def _refuse_unknown(lab: Lab, uuid: str, devices: Sequence[Device]) -> None:
    parts = [device.uuid for device in devices if device.whole == uuid]
    if not devices:
        raise _no_gpu(lab)
    if parts:
        raise InvalidInput(f"labs[{lab.name}].gpus", uuid, f"is cut into parts: name some of {', '.join(parts)}.")
    raise InvalidInput(f"labs[{lab.name}].gpus", uuid, f"is no GPU of this host, which has {_known(devices)}.")


def _no_gpu(lab: Lab) -> InvalidInput:
    asked = lab.gpus[0] if len(lab.gpus) == 1 else lab.gpus
    return InvalidInput(
        f"labs[{lab.name}].gpus", asked, "is not to be had, as no driver shows a GPU on this host: install NVIDIA's "
        "driver, so that `nvidia-smi -L` lists them, or leave gpus out.",
    )  # fmt: skip


def _known(devices: Sequence[Device]) -> str:
    return ", ".join(f"{device.uuid} ({device.name})" for device in devices)


def _whose(held: Iterable[Taker], devices: Sequence[Device]) -> str:
    takers = {device.uuid: [taker for taker in held if taker.uuid == device.uuid] for device in devices}
    return ", ".join(f"{uuid} is taken by {_all(who)}" for uuid, who in takers.items() if who)


def _told(lab: Lab, held: Iterable[Taker], devices: Sequence[Device]) -> str:
    free = [device.uuid for device in devices if not _in_the_way(device.uuid, lab, held)]
    return f"{', '.join(free)} {'is' if len(free) == 1 else 'are'} free" if free else "none is free: take one away"


def _all(takers: Iterable[Taker]) -> str:
    return " and ".join(taker.who for taker in takers)


def _both(takers: Iterable[Taker]) -> str:
    alone = [taker for taker in takers if not taker.shared]
    return f"gpus_shared: true here and for {_all(alone)}" if alone else "gpus_shared: true"
