# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host may give to labs: what it has, what is said of it, and what is kept back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import InvalidInput
from ..lab._declared import LARGEST_SIZE, SMALLEST_MEMORY, bytes_of, gpus_of


@dataclass(frozen=True)
class Capacity:
    """Bytes, processors and GPUs."""

    memory: int
    cpus: float
    gpus: int


def usable(has: Capacity, said: Mapping[str, Any], reserve: str) -> Capacity:
    """What labs may have of a host. ``said`` wins over what it has; ``reserve`` is a size or a share of its memory.

    Raises InvalidInput.
    """
    for key in said:
        if key not in ("memory", "cpus", "gpus"):
            raise InvalidInput("capacity", key, "is unknown: memory, cpus, gpus.")
    memory = size("capacity.memory", said["memory"]) if said.get("memory") else has.memory
    return Capacity(
        memory=max(memory - _kept_back(memory, reserve), 0),
        cpus=_number("capacity.cpus", said["cpus"]) if said.get("cpus") else has.cpus,
        gpus=int(_number("capacity.gpus", said["gpus"])) if said.get("gpus") is not None else has.gpus,
    )


def defaults_of(said: Mapping[str, Any], memory: str) -> dict[str, Any]:
    """What matters to a plan of the options that a host's labs have by default. Raises InvalidInput."""
    return {
        "memory": size("defaults.memory", said.get("memory") or memory),
        "gpus": gpus_of("defaults.gpus", said.get("gpus")),
        "labels": {str(key): str(value) for key, value in (said.get("labels") or {}).items()},
        "bind_address": str(said.get("bind_address") or ""),
    }


def size(option: str, value: Any) -> int:
    """Bytes of 4g or 512m, as much as a lab needs. Raises InvalidInput."""
    number = bytes_of(str(value))
    if number < SMALLEST_MEMORY:
        raise InvalidInput(option, value, "should be a size such as 512m or 64g.")
    return number


def memory_in(meminfo: str) -> int:
    """The host's memory in bytes, from /proc/meminfo."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def _kept_back(memory: int, reserve: str) -> int:
    share = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", reserve.strip())
    if share and float(share.group(1)) < 100:
        return int(memory * float(share.group(1)) / 100)
    if reserve.strip() in ("", "0"):
        return 0
    try:
        return size("reserve", reserve)
    except InvalidInput:
        raise InvalidInput("reserve", reserve, "should be a size such as 2g, or a share such as 10%.") from None


def _number(option: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1
    if not 0 <= number < LARGEST_SIZE:
        raise InvalidInput(option, value, "should be a number, 0 or above.")
    return number
