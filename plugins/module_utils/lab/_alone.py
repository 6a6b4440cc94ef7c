# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time changes the labs of a host: a second one waits for it, or says who it is."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import time
from collections.abc import Iterator
from typing import IO

from .._errors import InvalidInput, LabError

PAUSE = 0.2  # seconds between two looks


@contextlib.contextmanager
def alone(state_dir: str, patience: float) -> Iterator[None]:
    """Hold the host's labs. Raises LabError when somebody else has held them for ``patience`` seconds,
    InvalidInput where they cannot be held.

    The lock goes with its process, however that ends; what the file says is for people.
    """
    path = os.path.join(state_dir, "lock")
    try:
        os.makedirs(state_dir, mode=0o700, exist_ok=True)
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise InvalidInput("state_dir", state_dir, f"cannot be written: {error.strerror}; become root.") from error
    with open(lock, "r+", encoding="utf-8") as file:
        _take(file, path, time.monotonic() + patience)
        file.truncate(0)
        file.write(f"process {os.getpid()} of {os.environ.get('SUDO_USER') or getpass.getuser()}")
        file.flush()
        try:
            yield
        finally:
            file.seek(0)
            file.truncate(0)


def _take(file: IO[str], path: str, until: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > until:
                file.seek(0)
                raise LabError(
                    f"The labs of this host are being changed by {file.read() or 'another run'} (it holds {path}): "
                    "run again when it has ended."
                ) from None
            time.sleep(PAUSE)
