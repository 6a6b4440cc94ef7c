# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of a bundle on the disk: its digests, its files, what of it is no longer needed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable
from typing import Any

from .._errors import FleetError, InvalidInput
from . import _bundle

BLOCK = 1 << 20


def whole(path: str) -> dict[str, Any]:
    """The manifest of a bundle all of whose files are there as they were made. Raises FleetError for any other."""
    if not os.path.isdir(path):
        raise InvalidInput("bundle", path, "is no directory on the controller: name the one that a bundle is in.")
    said = sums(path)
    if not said:
        raise FleetError(
            f"bundle: {path}/{_bundle.SUMS} is missing: {path} is no bundle, or making it did not end; "
            "playbooks/bundle.yml makes one."
        )
    trouble = _bundle.trouble(path, said, digests(path, said))
    if trouble:
        raise FleetError(trouble)
    return _bundle.read_manifest(path, read(os.path.join(path, _bundle.MANIFEST)))


def sums(path: str) -> dict[str, str]:
    """The digests that a bundle has for its files; none for a directory that is no bundle yet."""
    text = read(os.path.join(path, _bundle.SUMS))
    return _bundle.read_sums(path, text) if text else {}


def digests(path: str, names: dict[str, str] | list[str]) -> dict[str, str]:
    """The digests of those of some files that are there."""
    return {name: sha256(os.path.join(path, name)) for name in names if os.path.isfile(os.path.join(path, name))}


def sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(BLOCK):
            digest.update(piece)
    return digest.hexdigest()


def sizes(path: str) -> dict[str, int]:
    """The files of a bundle's parts with their sizes."""
    found = {}
    for part in _bundle.PARTS:
        for folder, _folders, names in os.walk(os.path.join(path, part)):
            for name in names:
                file = os.path.join(folder, name)
                found[os.path.relpath(file, path)] = os.path.getsize(file)
    return found


def drop_damaged(path: str) -> list[str]:
    """Remove what is not as it was made, so that it is made again; the names."""
    said = sums(path)
    found = digests(path, said)
    damaged = sorted(name for name in found if found[name] != said[name] and name.split("/")[0] in _bundle.PARTS)
    for name in damaged:
        os.unlink(os.path.join(path, name))
    return damaged


def sweep(path: str, part: str, keep: Callable[[str], bool], check: bool) -> list[str]:
    """Remove those entries of a part that a bundle makes and that are not to be kept; their names."""
    folder = os.path.join(path, part)
    there = os.listdir(folder) if os.path.isdir(folder) else []
    going = sorted(name for name in there if _bundle.is_ours(part, name) and not keep(name))
    for name in going if not check else ():
        entry = os.path.join(folder, name)
        if os.path.isdir(entry):
            shutil.rmtree(entry)
        else:
            os.unlink(entry)
    return [f"{part}/{name}" for name in going]


def read(path: str) -> str:
    """A file's text; empty where there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise FleetError(f"{path} cannot be read: {error}.") from error


def write(path: str, text: str) -> bool:
    """Write a file unless it says so already; whether it did."""
    if os.path.exists(path) and read(path) == text:
        return False
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(f"{path}.new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(f"{path}.new", path)
    except OSError as error:
        raise FleetError(f"{path} cannot be written: {error.strerror}.") from error
    return True


def unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
