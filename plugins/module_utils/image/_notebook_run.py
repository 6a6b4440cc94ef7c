# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a notebook in a throw-away container of an image, of which nothing is left, however it ends."""

from __future__ import annotations

import contextlib
import inspect
import io
import signal
import tarfile
import time
from collections.abc import Iterator
from typing import Any

from .._engine import Engine, is_absent, is_conflict, translated
from .._errors import EngineError, InvalidInput
from . import _cells, _images
from ._notebook import FILE, FOLDER, GRACE, RUN_LABEL, Run, container_config, outcome

NOT_RUN = {"changed": False, "ran": False, "cells": 0, "output": "", "seconds": 0.0}


def act(engine: Engine, run: Run, check: bool) -> dict[str, Any]:
    """The module's result. A check runs nothing: the image that is meant may be yet to come."""
    if check:
        return NOT_RUN
    image = _present(engine, run.image)
    _clear_away(engine)
    started = time.monotonic()
    with _container(engine, container_config(run, image, bool(engine.rootless_user))) as container:
        out, log = _follow(engine, container, run)
    return {"changed": False, **outcome(run, out, log, time.monotonic() - started)}


def _present(engine: Engine, name: str) -> dict[str, Any]:
    """The image; one with a registry or a namespace in its name is pulled where it is missing, as for a lab."""
    found = _images.find(engine, name)
    if not found and "/" in name:
        _images.pull(engine, name, "", lambda _line: None)
        found = _images.find(engine, name)
    if not found:
        raise InvalidInput("image", name, "is not on this host: build or bring it first.")
    return found


def _follow(engine: Engine, container: str, run: Run) -> tuple[str, str]:
    """Start the container; all that it says on stdout and on stderr until it has ended."""
    said: tuple[list[bytes], list[bytes]] = ([], [])
    with translated(f"run {run.name} in {run.image}"):
        engine.api.put_archive(container, "/", _archive({"cells.py": inspect.getsource(_cells), FILE: run.text}))
        stream = engine.api.attach(container, stdout=True, stderr=True, stream=True, demux=True)
        engine.api.start(container)
        for pieces in stream:
            for kept, piece in zip(said, pieces):
                kept.append(piece or b"")
    out, log = (b"".join(kept).decode(errors="replace") for kept in said)
    return out, log


@contextlib.contextmanager
def _container(engine: Engine, config: dict[str, Any]) -> Iterator[str]:
    """A container, not started; removed also when this process is told to end."""

    def leave(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    with translated("create a container for the notebook"):
        container = engine.api.create_container_from_config(config)["Id"]
    try:
        yield container
    finally:
        _remove(engine, container)
        for number, handler in before.items():
            signal.signal(number, handler)


def _remove(engine: Engine, container: str) -> None:
    """Return when it is gone. The engine may be removing it by itself, or have done so."""
    try:
        with translated("remove the notebook's container"):
            engine.api.remove_container(container, v=True, force=True)
    except EngineError as error:
        if is_absent(error):
            return
        if not is_conflict(error):
            raise
    try:
        with translated("wait until the notebook's container is gone"):
            engine.api.wait(container, condition="removed")
    except EngineError as error:
        if not is_absent(error):
            raise


def _clear_away(engine: Engine) -> None:
    """What a run that was killed before it could start its container has left."""
    with translated("list the containers"):
        found = engine.api.containers(all=True, filters={"label": RUN_LABEL})
    for item in found:
        if time.time() > item["Created"] + int(item["Labels"][RUN_LABEL]) + 4 * GRACE:
            _remove(engine, item["Id"])


def _archive(files: dict[str, str]) -> bytes:
    """A tar of files that everybody may read."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, text in files.items():
            content = text.encode()
            entry = tarfile.TarInfo(f"{FOLDER.lstrip('/')}/{name}")
            entry.size, entry.mode = len(content), 0o444
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
