# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a base image to a host: see what is there, choose where it comes from, fetch or build it."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from typing import Any

from . import _base, _context, _image, _images, _rootfs
from ._base import Choice
from ._engine import Engine, connect
from ._errors import EngineError, InvalidInput
from ._recipe import Recipe, Wanted

PROBE_SECONDS = 10
THERE = {
    "registry": "the registry's image is there",
    "archive": "the archive's image is there",
    "build": "an image made of just that is there",
    "hand": "an image of that name is there, made by others",
}


def act(engine: Engine, wanted: _base.Base, check: bool) -> dict[str, Any]:
    """The module's result: what was chosen and, unless this is a check, done."""
    before = _images.find(engine, wanted.name).get("Id", "")
    choice = choose(engine, wanted)
    if not check:
        apply(engine, wanted, choice)
    after = "" if check and choice.source != "present" else _images.find(engine, wanted.name)["Id"]
    return _result(wanted, choice, before, after)


def without_engine(wanted: _base.Base) -> dict[str, Any]:
    """What a check says of a host that has no engine yet."""
    first = "registry" if wanted.source == "auto" else wanted.source
    return _result(wanted, Choice(first, "there is no engine yet"), "", "")


def choose(engine: Engine, wanted: _base.Base) -> Choice:
    """What is to be done, without doing it. The registry is asked only where its answer matters."""
    found = _images.find(engine, wanted.name)
    origin = _origin(engine, wanted, found) if found else ""
    if origin and not wanted.refresh and wanted.source in ("auto", origin):
        return Choice("present", THERE[origin])
    choice = _first(engine, wanted) if wanted.source == "auto" else Choice(wanted.source, "as asked for")
    if choice.source == "build":
        _base.release(wanted, _rootfs.host())
    elif found and _is_newest(engine, wanted, found, choice.source):
        return Choice("present", THERE[choice.source])
    return choice


def apply(engine: Engine, wanted: _base.Base, choice: Choice) -> None:
    """Do what was chosen; afterwards the image has its name."""
    if choice.source == "registry":
        _images.pull(engine, wanted.registry_reference, "", _quiet)
        _images.name(engine, wanted.registry_reference, wanted.name)
    elif choice.source == "archive":
        image = _load(engine, wanted.archive)
        _images.name(engine, image, wanted.archive_mark)
        _images.name(engine, image, wanted.name)
    elif choice.source == "build":
        _build(engine, wanted)


def _result(wanted: _base.Base, choice: Choice, before: str, after: str) -> dict[str, Any]:
    changed = not after or after != before
    said = {"before": f"{before or 'absent'}\n", "after": f"{after or choice.source}\n"}
    return {
        "changed": changed,
        "source": choice.source,
        "reason": choice.reason,
        "image": wanted.name,
        "id": after,
        "diff": {"before_header": wanted.name, "after_header": wanted.name, **said} if changed else {},
    }


def _origin(engine: Engine, wanted: _base.Base, found: dict[str, Any]) -> str:
    """How the image that is there came, a key of THERE; empty where it was built from other inputs."""
    if found["Id"] == _images.find(engine, wanted.registry_reference).get("Id"):
        return "registry"
    if found["Id"] == _images.find(engine, wanted.archive_mark).get("Id"):
        return "archive"
    if any(tag.startswith(f"{wanted.registry_repository}:") for tag in found.get("RepoTags") or []):
        return ""
    made_from = (found["Config"].get("Labels") or {}).get(_base.LABEL)
    if not made_from:
        return "hand"
    return "build" if made_from == _base.digest(wanted, _rootfs.host()) else ""


def _first(engine: Engine, wanted: _base.Base) -> Choice:
    """The first of registry, archive and build that can be had."""
    reference = wanted.registry_reference
    impatient = connect(replace(engine.address, timeout=PROBE_SECONDS))
    try:
        _images.latest_digest(impatient, reference)
    except EngineError as error:
        cause = f"{reference} cannot be had: {str(error).partition(': ')[2]}"
        return Choice("archive" if wanted.archive else "build", cause)
    return Choice("registry", f"{reference} can be had")


def _is_newest(engine: Engine, wanted: _base.Base, found: dict[str, Any], source: str) -> bool:
    """Whether the image that is there is what the registry or the archive has now."""
    if source == "registry":
        digest = _images.latest_digest(engine, wanted.registry_reference)
        return any(name.endswith(f"@{digest}") for name in found.get("RepoDigests") or [])
    if not os.path.isfile(wanted.archive):
        return False
    _name, layers = _images.archived(wanted.archive, wanted.name)
    return layers == found["RootFS"].get("Layers")


def _load(engine: Engine, archive: str) -> str:
    """The name or id of the image in an archive."""
    if not os.path.isfile(archive):
        raise InvalidInput("archive", archive, "is no file on this host.")
    return _images.load(engine, archive, _quiet)


def _build(engine: Engine, wanted: _base.Base) -> None:
    """Have a root filesystem, and build on it what the context says."""
    host = _rootfs.host()
    rootfs = _ensure_rootfs(engine, wanted, _base.release(wanted, host))
    repository, _colon, tag = wanted.name.rpartition(":")
    with tempfile.TemporaryDirectory(prefix="myjupyter-base-") as folder:
        for name, text in wanted.context.items():
            _context.write(folder, name, text, 0o755 if text.startswith("#!") else 0o644)
        recipe = Recipe(
            base=rootfs,
            build_args=(("JUPYTERLAB", wanted.requirement), ("ROOTFS", rootfs)),
            labels=((_base.LABEL, _base.digest(wanted, host)),),
        )
        order = Wanted(
            repository, tag, "present", recipe, path=folder, refresh=0 if wanted.refresh else None, keep=1
        )
        _image.present(engine, order, False, _quiet)


def _ensure_rootfs(engine: Engine, wanted: _base.Base, release: str) -> str:
    """The name of an image with the packages of ``wanted``; one that is there serves, unless all is to be fresh."""
    name = f"{_base.ROOTFS}:{release}"
    labels = (_images.find(engine, name).get("Config") or {}).get("Labels") or {}
    if wanted.refresh or labels.get(_base.LABEL) != _base.rootfs_digest(wanted, release):
        _images.name(engine, _rootfs.make(engine, wanted, release), name)
    return name


def _quiet(line: str) -> None:
    """Shows a line to nobody."""
