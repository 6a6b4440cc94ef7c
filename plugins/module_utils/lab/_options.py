# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run over a host's labs goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from . import _declared
from ._lab import Lab
from ._state import StateDir, default_state_dir


@dataclass(frozen=True)
class Options:
    """How a host's labs are brought to what is wanted. Times in seconds."""

    work_root: str
    state_dir: str
    first_port: int = 10000
    hostname: str = ""
    purge: bool = False
    images_to_come: Sequence[str] = ()
    when_busy: str = "defer"
    wait: bool = True
    wait_for: str = "answer"
    wait_timeout: float = 120
    stop_timeout: int = 30
    at_once: int = 4
    generation: str = "declared"
    show_tokens: bool = False

    @property
    def state(self) -> StateDir:
        return StateDir(self.state_dir)


def parse(params: Mapping[str, Any]) -> tuple[list[Lab], Options]:
    """What the options of the module `labs` declare: the labs, and how they are to be brought about.

    Raises InvalidInput.
    """
    _declared.check_run(params)
    how = {item.name: params[item.name] for item in fields(Options)}
    options = Options(**{**how, "state_dir": params["state_dir"] or default_state_dir()})
    return _declared.parse_labs(params["labs"], params["work_root"]), options
