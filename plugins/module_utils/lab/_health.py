# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a lab that was just brought up is one that a person can work in: more than that its server answers."""

from __future__ import annotations

import time

from .._engine import Engine
from .._errors import LabError
from . import _containers, _jupyter, _kernel
from ._lab import Lab

POLL = 0.2  # seconds between two looks
LEVELS = ("answer", "health", "kernel")


def see(
    engine: Engine, lab: Lab, container: str, token: str, seconds: float, fresh: bool, with_kernel: bool
) -> None:  # fmt: skip
    """Return when the token lets in, the engine's check passes and, if asked for, a kernel calculates.

    For a server that answers already. Raises LabError after ``seconds``, or at once where nothing will change: a
    ``fresh`` one that is unhealthy never was well, any other may be so again.
    """
    if not _jupyter.admits(lab, token):
        raise LabError(
            f"{lab.name} answers, but not to its token: does its config replace the server's own way to let people in? "
            "wait_for: answer does without."
        )
    _wait_for_the_engine(engine, lab, container, seconds, fresh)
    if with_kernel:
        _kernel.calculate(lab, token, seconds)


def _wait_for_the_engine(engine: Engine, lab: Lab, container: str, seconds: float, fresh: bool) -> None:
    """Until the container's health check, if it has one, has passed."""
    until = time.monotonic() + seconds
    while True:
        status, words = _containers.health(engine, container, lab)
        if status in ("", "healthy"):
            return
        if (fresh and status == "unhealthy") or time.monotonic() > until:
            raise LabError(f"{lab.name} answers, but its health check says {status}: {words or 'nothing else'}.")
        time.sleep(POLL)
