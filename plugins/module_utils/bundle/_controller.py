# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a closed controller needs: Ansible as wheels, and this collection as an archive that ansible-galaxy takes."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
import tarfile
import tempfile

from .._errors import FleetError
from ..dockerd import _machine
from . import _files, _wheels
from ._bundle import Wanted

# What of a checkout is the collection.
SOURCES = (
    *("galaxy.yml", "LICENSE", "README.md", "CONTRIBUTING.md", "CHANGELOG.rst"),
    *("changelogs", "docs", "meta", "playbooks", "plugins", "requirements", "roles"),
)

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
STAMP = "wheels/requirements.txt"


def wheels(wanted: Wanted, check: bool) -> list[str]:
    """Have the wheels for each Python that a controller may have; the steps that takes."""
    pythons = _wheels.pythons(wanted.releases, sys.version_info[:2])
    stamp = _wheels.stamp(wanted.requirements, pythons)
    said = [name for name in _files.sums(wanted.path) if name.startswith("wheels/")]
    complete = said and all(os.path.exists(os.path.join(wanted.path, name)) for name in said)
    if complete and _files.read(os.path.join(wanted.path, STAMP)) == stamp:
        return []
    if not check:
        with tempfile.TemporaryDirectory() as scratch:
            for python in pythons:
                _download(wanted, python, scratch)
            _files.sweep(wanted.path, "wheels", lambda _name: False, check)
            shutil.copytree(scratch, os.path.join(wanted.path, "wheels"), dirs_exist_ok=True)
        _files.write(os.path.join(wanted.path, STAMP), stamp)
    return [f"fetch wheels for Python {', '.join(map(_wheels.text, pythons))}"]


def _download(wanted: Wanted, python: tuple[int, int], folder: str) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet"]
    marks = [word for name in _wheels.platforms(platform.machine()) for word in ("--platform", name)]
    command = [*pip, "download", "--dest", folder, "--only-binary", ":all:", *marks]
    command += ["--python-version", _wheels.text(python), *_wheels.pins(wanted.requirements, python)]
    own = os.environ.get("PIP_CERT") or _machine.run([*pip, "config", "get", "global.cert"])[0] == 0
    trust = [] if own or not os.path.exists(CERTIFICATES) else ["env", f"PIP_CERT={CERTIFICATES}"]
    status, said = _machine.run([*trust, *command])
    if status:
        raise FleetError(
            f"The wheels for Python {_wheels.text(python)} cannot be had: {said[-500:]}. "
            "pip's own settings on this machine name the index."
        )


def collection(wanted: Wanted, check: bool) -> tuple[str, list[str]]:
    """Have this collection as an archive; its version, and the steps that takes."""
    with tempfile.TemporaryDirectory() as scratch:
        if os.path.exists(os.path.join(wanted.collection, "MANIFEST.json")):
            _as_installed(wanted.collection, scratch)
        else:
            _built(wanted.collection, scratch)
        name = os.listdir(scratch)[0]
        there = os.path.join(wanted.path, "collection", name)
        steps = [f"remove {old}" for old in _files.sweep(wanted.path, "collection", lambda old: old == name, check)]
        # An archive has the times of its files in it: compare what is in it.
        if _listing(there) != _listing(os.path.join(scratch, name)):
            steps.append(f"build {name}")
            if not check:
                os.makedirs(os.path.dirname(there), exist_ok=True)
                shutil.copy(os.path.join(scratch, name), there)
    return name.rpartition("-")[2].partition(".tar")[0], steps


def _built(source: str, folder: str) -> None:
    """A checkout's collection, of its own files alone: beside them may be inventories, secrets, and this bundle."""
    with tempfile.TemporaryDirectory() as copy:
        for name in filter(lambda name: os.path.exists(os.path.join(source, name)), SOURCES):
            there, here = os.path.join(source, name), os.path.join(copy, name)
            if os.path.isdir(there):
                shutil.copytree(there, here, symlinks=True)
            else:
                shutil.copy(there, here)
        _build(copy, folder)


def _build(source: str, folder: str) -> None:
    galaxy = ["env", "LC_ALL=C.UTF-8", sys.executable, "-m", "ansible", "galaxy"]
    status, said = _machine.run([*galaxy, "collection", "build", "--output-path", folder, source])
    if status or not os.listdir(folder):
        raise FleetError(f"The collection in {source} cannot be built: {said[-500:]}")


def _as_installed(source: str, folder: str) -> None:
    """An installed collection put together again: the files that it lists, in the archive that it came in."""
    about = json.loads(_files.read(os.path.join(source, "MANIFEST.json")))["collection_info"]
    listed = json.loads(_files.read(os.path.join(source, "FILES.json")))["files"]
    with tarfile.open(
        os.path.join(folder, f"{about['namespace']}-{about['name']}-{about['version']}.tar.gz"), "w:gz"
    ) as tar:
        for name in ["MANIFEST.json", "FILES.json", *(item["name"] for item in listed if item["name"] != ".")]:
            tar.add(os.path.join(source, name), arcname=name, recursive=False)


def _listing(path: str) -> bytes:
    """The digests of all files in a collection's archive; empty where there is none."""
    if not os.path.exists(path):
        return b""
    with tarfile.open(path) as tar:
        member = tar.extractfile("FILES.json")
        return member.read() if member else b""
