# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a run over a host's labs goes."""

from __future__ import annotations

from dataclasses import dataclass

from ._state import StateDir


@dataclass(frozen=True)
class Options:
    """How a host's labs are brought to what is wanted. Times in seconds."""

    work_root: str
    state_dir: str
    first_port: int = 10000
    hostname: str = ""
    purge: bool = False
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
