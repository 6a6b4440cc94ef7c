# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of a distribution that travel in a directory: what APT is told, and what it tells."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

INDEX = "Packages"
# What a host says about installing; the rest of its settings is about sources and caches of its own.
HEEDED = ("APT::Install-", "DPkg::")


@dataclass(frozen=True)
class Deb:
    """A package's file: its name, its size in bytes, and its control data with a digest for the index."""

    file: str
    size: int
    control: str = ""
    sha256: str = ""


def elsewhere(folder: str, recommends: bool) -> list[str]:
    """Options with which APT knows no installed package, reads ``folder``/sources.list and leaves the machine alone."""
    settings = {
        "Dir::State": folder,
        "Dir::State::lists": f"{folder}/lists",
        "Dir::State::status": f"{folder}/status",
        "Dir::State::extended_states": f"{folder}/extended_states",
        "Dir::Cache": folder,
        "Dir::Etc::sourcelist": f"{folder}/sources.list",
        "Dir::Etc::sourceparts": f"{folder}/none",
        "Dir::Etc::preferences": f"{folder}/no-preferences",
        "Dir::Etc::preferencesparts": f"{folder}/none",
        "Dir::Etc::trustedparts": f"{folder}/keys",
        "APT::Sandbox::User": "root",
        "APT::Default-Release": "",
        "APT::Install-Recommends": str(recommends).lower(),
        "Acquire::Languages": "none",
        "Binary::apt-get::APT::Keep-Downloaded-Packages": "true",
        "APT::Keep-Downloaded-Packages": "true",
    }
    return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def own_settings(folder: str, dump: str) -> str:
    """An APT configuration that knows ``folder`` as its only source. ``dump`` is the host's, by `apt-config dump`."""
    kept = [line for line in dump.splitlines() if line.startswith(HEEDED)]
    settings = {
        "Dir::State::lists": f"{folder}/apt/lists",
        "Dir::Cache": f"{folder}/apt",
        "Dir::Etc::sourcelist": f"{folder}/apt/sources.list",
        "Dir::Etc::sourceparts": f"{folder}/apt/none",
        "Dir::Etc::parts": f"{folder}/apt/none",
        "Dir::Etc::main": f"{folder}/apt/no-main",
        "Dir::Etc::preferences": f"{folder}/apt/no-preferences",
        "Dir::Etc::preferencesparts": f"{folder}/apt/none",
        "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }
    return "\n".join([*kept, *(f'{name} "{value}";' for name, value in settings.items())]) + "\n"


def files(said: str) -> list[Deb]:
    """The packages that `apt-get --print-uris` would fetch, by the names that APT gives their files."""
    rows = [shlex.split(line) for line in said.splitlines() if re.match(r"'[\w.+-]+:", line)]
    return [Deb(row[1], int(row[2])) for row in rows]


def index(debs: Iterable[Deb]) -> str:
    """The index of a directory of packages, as `deb file:DIRECTORY ./` wants it."""
    stanzas = [
        f"{deb.control.strip()}\nFilename: ./{deb.file}\nSize: {deb.size}\nSHA256: {deb.sha256}\n"
        for deb in sorted(debs, key=lambda deb: deb.file)
    ]
    return "\n".join(stanzas)


def indexed(text: str) -> set[str]:
    """The files that an index names."""
    return set(re.findall(r"^Filename: \./(.+)$", text, re.M))


def lacking(wanted: Iterable[Deb], there: Mapping[str, int]) -> list[Deb]:
    """What is not there, or not in its size. ``there``: sizes by file name."""
    return [deb for deb in wanted if there.get(deb.file) != deb.size]


def errors(said: str) -> str:
    """What APT named as errors, in one line; else the end of what it said."""
    found = [line[2:].strip() for line in said.splitlines() if line.startswith("E:")]
    unmet = [
        line.strip() for line in said.splitlines() if re.match(r" \S+ : (Depends|Breaks|Conflicts|PreDepends):", line)
    ]
    return " ".join(dict.fromkeys([*unmet, *found])) or said.strip()[-300:]
