# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a base image to a host: see what is there, choose where it comes from, fetch or build it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .._engine import Engine, connect
from .._errors import BuildError, EngineError, FleetError
from .._settings import config_of
from ..image import _build, _context, _images, _make, _saved
from ..image._image import Log
from ..image._recipe import Recipe, Wanted
from . import _base, _rootfs
from ._base import Base, Choice

Show = Callable[[str], None]

PROBE_SECONDS = 10
IN_FULL = "The Docker Stacks have tags of full versions only: write jupyterlab_version as 4.6.1."
THERE = {
    "registry": "the registry's image is there",
    "archive": "the archive's image is there",
    "build": "an image made of just that is there",
    "hand": "an image of that name is there, made by others",
}


def act(engine: Engine, wanted: Base, check: bool) -> dict[str, Any]:
    """The module's result: what was chosen and, unless this is a check, done."""
    before = _images.find(engine, wanted.name).get("Id", "")
    choice = choose(engine, wanted)
    if choice.source == "present" or check:
        return _result(wanted, choice, before, before if choice.source == "present" else "")
    log = Log(wanted.log)
    try:
        apply(engine, wanted, choice, log.show)
    except FleetError as error:
        error.details.update({"log": log.path} if log.written else {})
        raise
    _forget(engine, before)
    after = _images.image(engine, wanted.name).id
    return {**_result(wanted, choice, before, after), **({"log": log.path} if log.written else {})}


def without_engine(wanted: Base) -> dict[str, Any]:
    """What a check says of a host that has no engine yet."""
    first = "registry" if wanted.source == "auto" else wanted.source
    return _result(wanted, Choice(first, "there is no engine yet"), "", "")


def choose(engine: Engine, wanted: Base) -> Choice:
    """What is to be done, without doing it. The registry is asked only where its answer matters."""
    found = _images.find(engine, wanted.name)
    origin = _origin(engine, wanted, found) if found else ""
    if origin and not wanted.refresh and wanted.source in ("auto", origin):
        return Choice("present", THERE[origin])
    choice = _first(engine, wanted) if wanted.source == "auto" else Choice(wanted.source, "as asked for")
    if choice.source == "build":
        _base.release(wanted, _rootfs.host())
    elif _is_newest(engine, wanted, found, choice.source):
        return Choice("present", THERE[choice.source])
    return choice


def apply(engine: Engine, wanted: Base, choice: Choice, show: Show) -> None:
    """Do what was chosen; afterwards the image has its name."""
    if choice.source == "registry":
        _pull(engine, wanted, show)
        _images.name(engine, wanted.registry_reference, wanted.name)
    elif choice.source == "archive":
        _images.load(engine, wanted.archive, _saved.find(wanted.archive, wanted.name), wanted.name, show)
        _images.name(engine, wanted.name, wanted.archive_mark)
    else:
        _make_base(engine, wanted, show)


def _pull(engine: Engine, wanted: Base, show: Show) -> None:
    try:
        _images.pull(engine, wanted.registry_reference, "", show)
    except EngineError as error:
        if wanted.is_exact:
            raise
        raise EngineError(_hinted(str(error), wanted)) from error


def _origin(engine: Engine, wanted: Base, found: dict[str, Any]) -> str:
    """How the image that is there came, a key of THERE; empty where it is not made of what is asked for."""
    if found["Id"] == _images.find(engine, wanted.registry_reference).get("Id"):
        return "registry"
    if found["Id"] == _images.find(engine, wanted.archive_mark).get("Id"):
        return "archive"
    if any(tag.startswith(f"{wanted.registry_repository}:") for tag in found.get("RepoTags") or []):
        return ""
    made_from = (config_of(found).get("Labels") or {}).get(_base.LABEL)
    if not made_from:
        return "hand"
    return "build" if made_from == _base.digest(wanted, _rootfs.host()) else ""


def _first(engine: Engine, wanted: Base) -> Choice:
    """The first of registry, archive and build that can be had. A silent registry is waited for ten seconds."""
    reference = wanted.registry_reference
    impatient = connect(replace(engine.address, timeout=PROBE_SECONDS))
    try:
        _images.latest_digest(impatient, reference)
    except EngineError as error:
        cause = f"{reference} cannot be had: {_hinted(str(error).partition(': ')[2], wanted)}"
        return Choice("archive" if wanted.archive else "build", cause)
    return Choice("registry", f"{reference} can be had")


def _hinted(reason: str, wanted: Base) -> str:
    """Why the registry does not have it, and what the reason may be where no one version is asked for."""
    return reason if wanted.is_exact else f"{reason.rstrip('. ')}. {IN_FULL}"


def _is_newest(engine: Engine, wanted: Base, found: dict[str, Any], source: str) -> bool:
    """Whether the image that is there, if one is, is what the registry or the archive has now."""
    if source == "archive":
        if not os.path.isfile(wanted.archive):  # it may come after this look
            return False
        saved = _saved.find(wanted.archive, wanted.name)
        return bool(found) and saved.content == _images.inside(found)
    digest = _images.latest_digest(engine, wanted.registry_reference) if found else ""
    return any(name.endswith(f"@{digest}") for name in found.get("RepoDigests") or [])


def _make_base(engine: Engine, wanted: Base, show: Show) -> None:
    """Have a root filesystem, and build on it what the context says."""
    command = _build.find()
    if command is None:
        raise BuildError(_make.NO_COMMAND)
    host = _rootfs.host()
    rootfs = _ensure_rootfs(engine, wanted, _base.release(wanted, host), show)
    with _context.opened(Wanted(wanted.name, "", "present", Recipe(base=rootfs))) as context:
        for name, text in wanted.context.items():
            _context.write(context.folder, name, text, 0o755 if text.startswith("#!") else 0o644)
        order = _build.Order(
            context=context.folder,
            dockerfile=os.path.join(context.folder, "Dockerfile"),
            tags=(wanted.name,),
            labels={_base.LABEL: _base.digest(wanted, host)},
            build_args={"ROOTFS": rootfs, "JUPYTERLAB": wanted.requirement},
            secrets=context.secrets,
            titles={"uv pip install": "Installing JupyterLab", "useradd": "Making the user"},
            fresh=wanted.refresh,
        )
        _build.run(engine, command, order, show)


def _ensure_rootfs(engine: Engine, wanted: Base, release: str, show: Show) -> str:
    """The name of an image with the packages of ``wanted``; one that is there serves, unless all is to be fresh."""
    name = f"{_base.ROOTFS}:{release}"
    found = _images.find(engine, name)
    labels = config_of(found).get("Labels") or {} if found else {}
    if wanted.refresh or labels.get(_base.LABEL) != _base.rootfs_digest(wanted, release):
        _images.name(engine, _rootfs.make(engine, wanted, release, show), name)
        _forget(engine, found.get("Id", ""))
    return name


def _forget(engine: Engine, image: str) -> None:
    """Remove an image that has lost its name."""
    found = _images.find(engine, image) if image else {}
    if found and not found.get("RepoTags"):
        with contextlib.suppress(EngineError):  # the engine keeps what a container or another image needs
            _images.remove(engine, image)


def _result(wanted: Base, choice: Choice, before: str, after: str) -> dict[str, Any]:
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
