# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory in repo2docker's convention: what its files ask for, and which of them cannot be had here."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from .._errors import InvalidInput
from . import _requirements
from ._recipe import PACKAGE, Directory
from ._requirements import Requirements

FOLDERS = ("binder", ".binder")
RUNTIME = re.compile(r"python-(\d+(?:\.\d+){0,2})")
# What of Python's is passed over where an environment.yml says it all, as repo2docker does.
BESIDE_CONDA = ("requirements.txt", "Pipfile", "Pipfile.lock", "setup.py", "pyproject.toml", "runtime.txt")
ITEM = r"""(?:^\s*-|[\[,])\s*["']?"""  # of a list in YAML
# A dependency in an environment.yml that is a file: -r requirements.txt, ., ./package, .[extra], name @ file:package
OTHER_FILES = re.compile(
    ITEM
    + r"""(?:-[rc]|--(?:requirement|constraint)\b|\.\.?/|\.(?:["'\[\],\s]|$)|(?:[\w.\[\],-]+\s*@\s*|git\+)?file:)""",
    re.M,
)
EDITABLE = re.compile(r"""^(?:\s*-|[^#\n]*[\[,])\s*["']?(?:-e|--editable)[\s=]+["']?(?!git\+|https?:)""", re.M)
# A pyproject.toml describes something to install where it has both, in any of TOML's spellings; else tools' settings.
TABLES = [
    re.compile(rf"""^\s*(?:\[\s*["']?{name}["']?\s*[\].]|["']?{name}["']?\s*[.=])""", re.M)
    for name in ("project", "build-system")
]
IN_FOLDER = "in binder/postBuild: what is beside a folder binder/, and not in it, is left to that"
# What repo2docker knows and this does not, with what to do instead.
UNSUPPORTED = {
    "Pipfile": "write its packages into requirements.txt",
    "Pipfile.lock": "write its packages into requirements.txt",
    "install.R": f"take a base with R, such as r-notebook, and install packages {IN_FOLDER}",
    "DESCRIPTION": f"take a base with R, such as r-notebook, and install the package {IN_FOLDER}",
    "Project.toml": f"take a base with Julia, such as julia-notebook, and instantiate it {IN_FOLDER}",
    "JuliaProject.toml": f"take a base with Julia, such as julia-notebook, and instantiate it {IN_FOLDER}",
    "REQUIRE": f"take a base with Julia, such as julia-notebook, and add packages {IN_FOLDER}",
    "default.nix": "write apt.txt and requirements.txt",
    "environment.yaml": "name it environment.yml",
    "apt-get.txt": "name it apt.txt",
}


def interpret(path: str, names: Collection[str], text: Callable[[str], str]) -> Directory:
    """What a directory asks for; ``names`` are its files, relative to it, ``text(name)`` reads one.

    Raises InvalidInput for what is not supported, naming the file.
    """
    folder = _folder(path, names)

    def at(name: str) -> str:
        found = f"{folder}/{name}" if folder else name
        passed_over = name in BESIDE_CONDA and at("environment.yml")
        return found if found in names and not passed_over else ""

    if at("Dockerfile"):
        return Directory(path, dockerfile=at("Dockerfile"))
    for name, instead in UNSUPPORTED.items():
        if at(name):
            raise InvalidInput("path", f"{path}/{at(name)}", f"is not supported: {instead}.")
    conda = at("environment.yml")
    if conda and EDITABLE.search(text(conda)):
        wanted = "has an editable install, which has no place in an image: write . for what it installs."
        raise InvalidInput("path", f"{path}/{conda}", wanted)
    return Directory(
        path,
        requirements=_needs(at("requirements.txt"), names, text),
        packages=_packages(at("apt.txt"), text),
        post_build=at("postBuild"),
        start=at("start"),
        python=_python(at("runtime.txt"), text),
        conda=conda,
        conda_reads=bool(conda and OTHER_FILES.search(text(conda))),
        project=not folder
        and bool(at("setup.py") or (at("pyproject.toml") and _is_project(text(at("pyproject.toml"))))),
        ignore=at(".dockerignore") or at(".containerignore"),
    )


def _folder(path: str, names: Collection[str]) -> str:
    found = [folder for folder in FOLDERS if any(name.startswith(f"{folder}/") for name in names)]
    if len(found) > 1:
        raise InvalidInput("path", path, "has both binder/ and .binder/: keep one of them.")
    return found[0] if found else ""


def _is_project(text: str) -> bool:
    return all(table.search(text) for table in TABLES)


def _needs(name: str, names: Collection[str], text: Callable[[str], str]) -> Requirements:
    if not name:
        return Requirements()
    return _requirements.parse(text(name), name, lambda other: text(other) if other in names else None)


def _packages(name: str, text: Callable[[str], str]) -> tuple[str, ...]:
    found = []
    for number, line in enumerate(text(name).splitlines() if name else [], 1):
        for package in line.partition("#")[0].split():
            if not PACKAGE.fullmatch(package):
                raise InvalidInput(f"{name} line {number}", package, "is no name of a system package.")
            found.append(package)
    return tuple(sorted(set(found)))


def _python(name: str, text: Callable[[str], str]) -> str:
    said = text(name).strip() if name else ""
    if not said:
        return ""
    match = RUNTIME.fullmatch(said)
    if not match:
        raise InvalidInput(name, said, "is not supported: python-3.12 is, where the base has that Python.")
    return match[1]
