# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory with handouts that its owner alone can read: what is in it, and what it is to hold."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .._errors import FleetError, InvalidInput
from ._handouts import completed, handouts, index_of

INDEX = ".people.json"  # who is told of in here, and where each lab is
IGNORE = ".gitignore"  # so that no token comes into a repository by accident
DIRECTORY_MODE, FILE_MODE = 0o700, 0o600


def make_so(dest: str, roster: str, people: Iterable[Mapping[str, Any]], check: bool) -> dict[str, Any]:
    """Have the handouts of these people in ``dest``, and those of nobody else; the module's result.

    Nothing of what is in the files is part of the result.
    """
    try:
        before = _index(dest)
        known = completed(people, before)
        wanted = handouts(roster, known)
        wanted[INDEX] = json.dumps(index_of(known), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        wanted[IGNORE] = "*\n"
        written = sorted(name for name, text in wanted.items() if not _is(os.path.join(dest, name), text))
        removed = sorted(
            f"{lab}.txt"
            for lab in before
            if f"{lab}.txt" not in wanted and os.path.exists(os.path.join(dest, f"{lab}.txt"))
        )
        closed = _mode(dest) == DIRECTORY_MODE
        if not check and (written or removed or not closed):
            _write(dest, {name: wanted[name] for name in written}, removed)
    except OSError as error:
        raise FleetError(f"dest: {dest} cannot be written on the controller: {error.strerror}.") from error
    missing = sorted(one.lab for one in known if not one.address)
    changed = bool(written or removed or not closed)
    return {"changed": changed, "dest": dest, "written": written, "removed": removed, "without_address": missing}


def check_dest(dest: str) -> str:
    """Raise InvalidInput for what is no directory for handouts."""
    path = os.path.abspath(os.path.expanduser(dest))
    if os.path.lexists(path) and (os.path.islink(path) or not os.path.isdir(path)):
        raise InvalidInput("dest", dest, "is not a directory: name one, or a path that is free.")
    try:
        strange = os.path.isdir(path) and os.listdir(path) and not os.path.exists(os.path.join(path, INDEX))
    except OSError as error:
        raise InvalidInput("dest", dest, f"cannot be read ({error.strerror}): name a directory of your own.") from error
    if strange:
        raise InvalidInput("dest", dest, "holds other things than handouts: name a directory of its own.")
    return path


def _index(dest: str) -> dict[str, dict[str, Any]]:
    with contextlib.suppress(FileNotFoundError, ValueError):
        known = json.loads(Path(dest, INDEX).read_text(encoding="utf-8"))
        return {lab: about for lab, about in known.items() if "/" not in lab}
    return {}


def _is(path: str, text: str) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return _mode(path) == FILE_MODE and Path(path).read_bytes() == text.encode()
    return False


def _mode(path: str) -> int:
    with contextlib.suppress(FileNotFoundError):
        return stat.S_IMODE(os.lstat(path).st_mode)
    return 0


def _write(dest: str, files: Mapping[str, str], removed: Iterable[str]) -> None:
    """The index first, so that a later run knows of all that this one wrote."""
    os.makedirs(dest, mode=DIRECTORY_MODE, exist_ok=True)
    os.chmod(dest, DIRECTORY_MODE)
    for name in sorted(files, key=lambda name: name != INDEX):
        temporary = os.path.join(dest, f".{name}.new")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, FILE_MODE)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), FILE_MODE)
            file.write(files[name].encode())
        os.replace(temporary, os.path.join(dest, name))
    for name in removed:
        os.unlink(os.path.join(dest, name))
