# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a base image to a host: see what is there, choose where it comes from, fetch or build it."""

from __future__ import annotations

import io
import os
import subprocess
from dataclasses import replace
from typing import Any

from . import _base, _rootfs
from ._base import Choice
from ._engine import Engine, connect, is_absent, translated
from ._errors import EngineError, InvalidInput

PROBE_SECONDS = 10


def act(engine: Engine, wanted: _base.Base, check: bool) -> dict[str, Any]:
    """The module's result: what was chosen and, unless this is a check, done."""
    before = inspect(engine, wanted.name).get("Id", "")
    choice = choose(engine, wanted)
    if not check:
        apply(engine, wanted, choice)
    after = before if check else inspect(engine, wanted.name)["Id"]
    return _result(wanted, choice, before, after)


def without_engine(wanted: _base.Base) -> dict[str, Any]:
    """What a check says of a host that has no engine yet."""
    first = "registry" if wanted.source == "auto" else wanted.source
    return _result(wanted, Choice(first, "there is no engine yet"), "", "")


def choose(engine: Engine, wanted: _base.Base) -> Choice:
    """What is to be done, without doing it. The registry is asked only where its answer matters."""
    found = inspect(engine, wanted.name)
    origin = _origin(engine, wanted, found) if found else ""
    if origin and not wanted.refresh and wanted.source in ("auto", origin):
        return Choice("present", f"it is there, by {origin}")
    if wanted.source != "auto":
        return _possible(wanted, Choice(wanted.source, "as asked for"))
    refusal = _refusal(engine, wanted.registry_reference)
    if not refusal:
        return Choice("registry", f"{wanted.registry_reference} can be had")
    if wanted.archive:
        return Choice("archive", refusal)
    return _possible(wanted, Choice("build", refusal))


def _possible(wanted: _base.Base, choice: Choice) -> Choice:
    if choice.source == "build":
        _base.release(wanted, _rootfs.host())
    return choice


def apply(engine: Engine, wanted: _base.Base, choice: Choice) -> None:
    """Do what was chosen; afterwards the image has its name."""
    if choice.source == "registry":
        _name(engine, _pull(engine, wanted.registry_reference), wanted.name)
    elif choice.source == "archive":
        image = _load(engine, wanted.archive)
        _name(engine, image, wanted.archive_mark)
        _name(engine, image, wanted.name)
    elif choice.source == "build":
        _build(engine, wanted)


def inspect(engine: Engine, name: str) -> dict[str, Any]:
    """What the engine knows of an image; empty where there is none."""
    try:
        with translated(f"inspect the image {name}"):
            return engine.api.inspect_image(name)
    except EngineError as error:
        if is_absent(error):
            return {}
        raise


def _result(wanted: _base.Base, choice: Choice, before: str, after: str) -> dict[str, Any]:
    changed = choice.source != "present" and (before != after or not after)
    said = {"before": f"{before or 'absent'}\n", "after": f"{after if after != before else choice.source}\n"}
    return {
        "changed": changed,
        "source": choice.source,
        "reason": choice.reason,
        "image": wanted.name,
        "id": after,
        "diff": {"before_header": wanted.name, "after_header": wanted.name, **said} if changed else {},
    }


def _origin(engine: Engine, wanted: _base.Base, found: dict[str, Any]) -> str:
    """How the image that is there came: registry, archive, build, hand; empty where it was built from other inputs."""
    if found["Id"] == inspect(engine, wanted.registry_reference).get("Id"):
        return "registry"
    if found["Id"] == inspect(engine, wanted.archive_mark).get("Id"):
        return "archive"
    made_from = (found["Config"].get("Labels") or {}).get(_base.LABEL)
    if not made_from:
        return "hand"
    return "build" if made_from == _base.digest(wanted, _rootfs.host()) else ""


def _refusal(engine: Engine, reference: str) -> str:
    """Why the engine cannot have an image from its registry; empty where it can. Takes ten seconds at most."""
    impatient = connect(replace(engine.address, timeout=PROBE_SECONDS))
    try:
        with translated(f"find {reference}"):
            impatient.api.inspect_distribution(reference)
    except EngineError as error:
        return str(error)
    return ""


def _pull(engine: Engine, reference: str) -> str:
    with translated(f"pull {reference}"):
        for line in engine.api.pull(reference, stream=True, decode=True):
            if "error" in line:
                raise EngineError(
                    f"The engine would not pull {reference}: {line['error']}. "
                    "source: archive and source: build need no registry."
                )
    return reference


def _load(engine: Engine, archive: str) -> str:
    """The name or id of the first image in a tar that `docker save` wrote."""
    try:
        tar = open(archive, "rb")
    except OSError as error:
        raise InvalidInput("archive", archive, f"cannot be read on this host: {error.strerror}.") from error
    with tar, translated(f"load {archive}"):
        for line in engine.api.load_image(tar):
            if "Loaded image" in line.get("stream", ""):
                return line["stream"].split(": ", 1)[1].split()[0]
            if "error" in line:
                raise EngineError(f"The engine would not load {archive}: {line['error']}")
    raise InvalidInput("archive", archive, "holds no image: make it with `docker save IMAGE -o FILE`.")


def _name(engine: Engine, image: str, name: str) -> None:
    repository, _, tag = name.rpartition(":")
    with translated(f"name {image} {name}"):
        engine.api.tag(image, repository, tag)


def _build(engine: Engine, wanted: _base.Base) -> None:
    host = _rootfs.host()
    release = _base.release(wanted, host)
    rootfs = _ensure_rootfs(engine, wanted, release)
    arguments = {"ROOTFS": rootfs, "JUPYTERLAB": wanted.requirement}
    command = ["/usr/bin/docker", "build", "-q", "-t", wanted.name, "--label", f"{_base.LABEL}={_base.digest(wanted, host)}"]
    command += ["--secret", "id=ca,src=/etc/ssl/certs/ca-certificates.crt"]
    for key, value in arguments.items():
        command += ["--build-arg", f"{key}={value}"]
    subprocess.run([*command, "-"], input=_base.context_tar(wanted), check=True, env={**os.environ, "DOCKER_BUILDKIT": "1"})


def _ensure_rootfs(engine: Engine, wanted: _base.Base, release: str) -> str:
    """The name of an image with the packages of ``wanted``; one that is there serves, unless all is to be fresh."""
    name = f"{_base.ROOTFS}:{release}"
    labels = (inspect(engine, name).get("Config") or {}).get("Labels") or {}
    if wanted.refresh or labels.get(_base.LABEL) != _base.rootfs_digest(wanted, release):
        _name(engine, _rootfs.make(engine, wanted, release), name)
    return name
