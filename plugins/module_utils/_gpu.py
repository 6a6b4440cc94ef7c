# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""NVIDIA's GPUs as a host tells of them, read out of what nvidia-smi and its driver print."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NVIDIA = "0x10de"
DISPLAYS = ("0x0300", "0x0302")  # PCI classes: VGA, 3D controller
FOR_MACHINES = "vfio-pci"  # bound to this, a card is kept for virtual machines
MEBIBYTE = 1024**2

CARD = re.compile(r"GPU (\d+): (.+) \(UUID: (GPU-[0-9A-Za-z-]+)\)")
PART = re.compile(r"\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-[0-9A-Za-z/-]+)\)")
FACT = re.compile(r"(Model|GPU UUID|Bus Location):\s+(\S.*)")


@dataclass(frozen=True)
class Device:
    """What a container can be given: a GPU, or a part of one (MIG). ``index`` is nvidia-smi's, 0 or 0:1;
    ``whole`` is the UUID of the GPU that a part is of."""

    uuid: str
    name: str
    index: str
    whole: str = ""


@dataclass(frozen=True)
class Usage:
    """How busy a GPU is: percent of time, and bytes. None where it does not tell."""

    utilization: int | None = None
    used: int | None = None
    total: int | None = None


@dataclass(frozen=True)
class Hardware:
    """What a host has: its cards by their place on the bus, what the driver makes of them, and the toolkit's hook."""

    cards: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    hook: str = ""


def is_card(vendor: str, kind: str, driver: str) -> bool:
    """Whether a PCI device is a GPU for this host, from its vendor, its class and the driver that it is bound to."""
    return vendor.strip() == NVIDIA and kind.strip()[:6] in DISPLAYS and driver != FOR_MACHINES


def listed(text: str) -> tuple[Device, ...]:
    """The devices that `nvidia-smi -L` prints; a GPU that is cut into parts gives way to them."""
    devices: list[Device] = []
    card = None
    for line in text.splitlines():
        if match := CARD.fullmatch(line.rstrip()):
            card = Device(uuid=match[3], name=match[2], index=match[1])
            devices.append(card)
        elif card and (match := PART.fullmatch(line.rstrip())):
            name, index = f"{card.name} MIG {match[1]}", f"{card.index}:{match[2]}"
            devices.append(Device(uuid=match[3], name=name, index=index, whole=card.uuid))
    cut = {device.whole for device in devices}
    return tuple(device for device in devices if device.uuid not in cut)


def described(texts: Iterable[str]) -> tuple[Device, ...]:
    """The GPUs that the files /proc/driver/nvidia/gpus/*/information describe; they know of no parts."""
    facts = [dict(FACT.findall(text)) for text in texts]
    known = [item for item in facts if item.get("GPU UUID", "").startswith("GPU-") and "?" not in item["GPU UUID"]]
    ordered = sorted(known, key=lambda item: item.get("Bus Location", ""))
    return tuple(
        Device(uuid=item["GPU UUID"].strip(), name=item.get("Model", "GPU").strip(), index=str(number))
        for number, item in enumerate(ordered)
    )


def measured(text: str) -> dict[str, Usage]:
    """UUID -> usage, from `nvidia-smi --query-gpu=uuid,utilization.gpu,memory.used,memory.total`, in CSV, no units."""
    rows = [[cell.strip() for cell in line.split(",")] for line in text.splitlines()]
    return {row[0]: _usage(*map(_number, row[1:])) for row in rows if len(row) == 4 and row[0].startswith("GPU-")}


def _usage(utilization: int | None, used: int | None, total: int | None) -> Usage:
    return Usage(utilization, _bytes(used), _bytes(total))


def _bytes(mebibytes: int | None) -> int | None:
    return None if mebibytes is None else mebibytes * MEBIBYTE


def _number(text: str) -> int | None:
    """nvidia-smi writes [N/A], [Not Supported] and the like for what a GPU does not tell."""
    return int(text) if text.isdigit() else None
