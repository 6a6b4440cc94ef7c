# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A notebook that is run once in an image: what it must be, the container for it, and what came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._errors import InvalidInput, LabError
from .._settings import config_of
from ._recipe import LABEL, VARIABLE

RUN_LABEL = f"{LABEL}run"
FOLDER = "/myjupyter-run"
FILE = "notebook.ipynb"
MARK = "fleet.myjupyter.notebook "  # how the line begins with which the program inside ends
GRACE = 15  # seconds for what is not the notebook: the entrypoint, and the end
TAIL = 10  # lines of the log in an error
SIZE = re.compile(r"(\d+)([kmgt]?)b?", re.IGNORECASE)
UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}
JOVYAN, USERS = "1000:100", "100"  # the base's contract


@dataclass(frozen=True)
class Run:
    """What is to be run, in what. ``memory`` in bytes (0: no limit), ``timeout`` in seconds."""

    image: str
    text: str
    name: str = "notebook"
    timeout: int = 300
    memory: int = 0
    network: bool = False
    env: dict[str, str] = field(default_factory=dict)


def parse(params: Mapping[str, Any]) -> Run:
    """Raises InvalidInput for what is no notebook, or cannot be meant."""
    _check_notebook(params["notebook"])
    if params["timeout"] <= 0:
        raise InvalidInput("timeout", params["timeout"], "should be a number of seconds above 0.")
    for name in params["env"]:
        if not VARIABLE.fullmatch(str(name)):
            raise InvalidInput("env", name, "is no name for an environment variable.")
    size = SIZE.fullmatch(params["memory"] or "0")
    if not size:
        raise InvalidInput("memory", params["memory"], "should be a size such as 512m or 4g.")
    return Run(
        image=params["image"],
        text=params["notebook"],
        name=params["name"],
        timeout=params["timeout"],
        memory=int(size[1]) * UNITS[size[2].lower()],
        network=params["network"],
        env={str(name): str(value) for name, value in params["env"].items()},
    )


def _check_notebook(text: str) -> None:
    try:
        notebook = json.loads(text)
        cells = notebook["cells"] if notebook["nbformat"] == 4 else []
        code = [cell for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError):
        code = []
    if not code:
        raise InvalidInput(
            "notebook", text[:40], "is no notebook with a cell of code (format 4): give the text of an .ipynb file."
        )


def container_config(run: Run, image: Mapping[str, Any], rootless: bool) -> dict[str, Any]:
    """The body of ContainerCreate, https://docs.docker.com/reference/api/engine/.

    The image's own entrypoint runs, as in a lab, under a limit that nobody outside has to keep: the container ends
    by itself and is then removed by the engine, also when whoever started it is long gone.
    """
    entrypoint = config_of(image).get("Entrypoint") or []
    isolation = {} if rootless else {"CapDrop": ["ALL"]}
    return {
        "Image": run.image,
        "User": "0:0" if rootless else JOVYAN,
        "Entrypoint": ["timeout", "--kill-after=5", str(run.timeout + GRACE), *entrypoint],
        "Cmd": ["python", f"{FOLDER}/cells.py", f"{FOLDER}/{FILE}", str(run.timeout), MARK],
        "Env": [f"{key}={value}" for key, value in sorted(_environment(run, image, rootless).items())],
        "Labels": {RUN_LABEL: str(run.timeout)},
        "Healthcheck": {"Test": ["NONE"]},
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "AutoRemove": True,
            "NetworkMode": "default" if run.network else "none",
            "GroupAdd": [USERS],
            "SecurityOpt": ["no-new-privileges"],
            "Memory": run.memory,
            "MemorySwap": run.memory,
            "LogConfig": {"Type": "none"},
            **isolation,
        },
    }


def _environment(run: Run, image: Mapping[str, Any], rootless: bool) -> dict[str, str]:
    """What the notebook may want to know of its image, and the user's own. tini is not the first process here."""
    labels = config_of(image).get("Labels") or {}
    declaration = json.loads(labels.get(f"{LABEL}declaration") or "{}")
    about = {"requirements": declaration.get("requirements", []), "jupyterlab": labels.get(f"{LABEL}jupyterlab", "")}
    root = {"NB_USER": "root", "NB_UID": "0", "NB_GID": "0"} if rootless else {}
    return {"TINI_SUBREAPER": "1", **root, "MYJUPYTER_IMAGE": json.dumps(about), **run.env}


def outcome(run: Run, out: str, log: str, seconds: float) -> dict[str, Any]:
    """What the program inside said. Raises LabError for a notebook that failed, or that nothing is known of."""
    said = [line[len(MARK) :] for line in out.splitlines() if line.startswith(MARK)]
    if not said:
        tail = [line for line in (out + log).splitlines() if line.strip()][-TAIL:]
        late = f"was not done within {run.timeout} s" if seconds >= run.timeout else "could not be run"
        raise LabError(f"{run.name} {late} in {run.image}: {' / '.join(tail[-2:]) or 'nothing was said'}", log=tail)
    came = json.loads(said[-1])
    if came["error"]:
        where = f" in cell {came['cell']}" if "cell" in came else ""
        details = {key: came[key] for key in ("cell", "source", "traceback", "output") if key in came}
        raise LabError(f"{run.name} failed in {run.image}{where}: {came['error']}", **details)
    return {"ran": True, "cells": came["cells"], "output": came["output"], "seconds": round(seconds, 1)}
