# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that were brought to a host, as a source of their own for its APT: no network, no other source."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from typing import Any

from .._errors import FleetError
from ..dockerd import _machine
from . import _debs, _folder


@dataclass(frozen=True)
class Expected:
    """Packages that a host is to have, the text of the index that they are in, and where their files will be."""

    names: tuple[str, ...]
    index: str
    src: str
    folder: str


def act(expected: Expected, check: bool) -> dict[str, Any]:
    """The module's result: which files an installation takes, and the configuration by which APT finds them."""
    if check or not expected.folder:
        with tempfile.TemporaryDirectory() as scratch:
            return {**_asked(expected, scratch), "config": "", "folder": ""}
    asked = _asked(expected, expected.folder)
    return {**asked, "config": os.path.join(expected.folder, "apt.conf"), "folder": expected.folder}


def _asked(expected: Expected, folder: str) -> dict[str, Any]:
    """Prepare APT in ``folder``, and ask it which files an installation takes."""
    for name in ("lists/partial", "archives/partial", "none"):
        os.makedirs(os.path.join(folder, "apt", name), exist_ok=True)
    config = os.path.join(folder, "apt.conf")
    _folder.write(os.path.join(folder, _debs.INDEX), expected.index)
    _folder.write(os.path.join(folder, "apt", "sources.list"), f"deb [trusted=yes] file:{folder} ./\n")
    _folder.write(config, _debs.own_settings(folder, _machine.run(["apt-config", "dump"])[1]))
    apt = ["env", f"APT_CONFIG={config}", "apt-get", "--quiet", "--yes"]
    _run(expected, [*apt, "update"])
    files = _debs.files(_run(expected, [*apt, "--print-uris", "install", *expected.names]))
    return {"changed": bool(files), "lacking": [deb.file for deb in files]}


def _run(expected: Expected, command: list[str]) -> str:
    status, said = _machine.run(command)
    if status:
        raise FleetError(
            f"The packages in {expected.src} do not bring {', '.join(expected.names)}: {_debs.errors(said)}"
        )
    return said
