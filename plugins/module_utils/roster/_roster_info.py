# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host tells of a roster: what it has to give, the labs on it, the work on it, and what it remembers."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .. import _nvidia
from .._engine import Engine
from ..lab import _containers, _jupyter, _state
from ..lab._container import Found
from ..lab._declared import NAME
from ..lab._plan import by_name
from ..lab._report import url_of
from ._archive import archived
from ._capacity import Capacity, memory_in, usable


@dataclass(frozen=True)
class Question:
    """What is asked. ``names``: labs that stay, so that only of others it matters whether they are busy."""

    roster: str
    names: frozenset[str]
    work_root: str
    archive_dir: str
    state_dir: str
    capacity: Mapping[str, Any] = field(default_factory=dict)
    reserve: str = "10%"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    hostname: str = ""
    show_tokens: bool = False


def ask(engine: Engine, question: Question) -> dict[str, Any]:
    """The module's result."""
    found, _leftovers = by_name(_containers.observe(engine).labs)
    with ThreadPoolExecutor(max_workers=8) as pool:
        labs = list(pool.map(lambda name: _about(found[name], question), sorted(found)))
    return {**without_engine(question), "labs": labs}


def without_engine(question: Question) -> dict[str, Any]:
    """What a host tells that has no engine yet."""
    return {
        "changed": False,
        "capacity": asdict(usable(_machine(), question.capacity, question.reserve)),
        "defaults": dict(question.defaults),
        "labs": [],
        "works": _directories(os.path.join(question.work_root, question.roster)),
        "archives": sorted(
            name
            for name in _directories(os.path.join(question.archive_dir, question.roster))
            if archived(os.path.join(question.archive_dir, question.roster, name))
        ),
        "placement": _remembered(os.path.join(question.state_dir, "rosters", f"{question.roster}.json")),
        "state_dir": question.state_dir,
    }


def _about(found: Found, question: Question) -> dict[str, Any]:
    lab, token = found.lab, _state.StateDir(question.state_dir).token(found.lab.name)
    ours = lab.roster == question.roster
    goes = ours and lab.name not in question.names and found.status == "running"
    return {
        "name": lab.name,
        "roster": lab.roster,
        "memory": lab.memory,
        "gpus": lab.gpus,
        "running": found.running,
        "busy": goes and _jupyter.activity(found.as_created, token).busy,
        "url": url_of(lab, question.hostname, token if question.show_tokens and ours else ""),
    }


def _machine() -> Capacity:
    memory = 0
    with contextlib.suppress(OSError):
        memory = memory_in(Path("/proc/meminfo").read_text())
    return Capacity(memory, os.cpu_count() or 1, len(_nvidia.devices()))


def _directories(path: str) -> list[str]:
    """Those that may be of a lab."""
    with contextlib.suppress(OSError):
        return sorted(entry.name for entry in os.scandir(path) if entry.is_dir() and NAME.fullmatch(entry.name))
    return []


def _remembered(path: str) -> dict[str, Any]:
    """Nothing, where there is no such file or it is not ours."""
    with contextlib.suppress(OSError, ValueError):
        memory = json.loads(Path(path).read_text())
        if isinstance(memory, dict) and isinstance(memory.get("people"), dict):
            return memory
    return {}
