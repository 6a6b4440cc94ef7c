# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to know of the labs of a host: read only, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from .._engine import Engine
from . import _containers, _given, _host, _jupyter, _state
from ._container import Found
from ._labs import url_of
from ._plan import by_name, differences


@dataclass(frozen=True)
class Question:
    """Which labs, and what of them. ``names`` empty: all."""

    names: tuple[str, ...]
    state_dir: str
    hostname: str = ""
    show_tokens: bool = False
    sizes: bool = True


def ask(engine: Engine, question: Question) -> dict[str, Any]:
    """The module's result."""
    found, _leftovers = by_name(_containers.observe(engine).labs)
    chosen = [item for name, item in sorted(found.items()) if not question.names or name in question.names]
    digests = _containers.digests(engine, [item.as_created.image for item in chosen])
    if not chosen:
        return {"changed": False, "labs": []}
    gpus = _given.look() if any(item.lab.gpus for item in chosen) else _given.Gpus()
    with ThreadPoolExecutor(max_workers=8) as pool:
        labs = list(pool.map(lambda item: _about(engine, item, question, digests, gpus), chosen))
    return {"changed": False, "labs": labs}


def _about(
    engine: Engine, found: Found, question: Question, digests: Mapping[str, str], gpus: _given.Gpus
) -> dict[str, Any]:  # fmt: skip
    lab, state = found.lab, _state.StateDir(question.state_dir)
    token = state.token(lab.name)
    url = url_of(lab, question.hostname, token if question.show_tokens else "")
    return {
        "name": lab.name,
        "state": found.status,
        "since": found.started_at,
        "url": url,
        "bind_address": lab.bind_address,
        "port": lab.port,
        "image": lab.image,
        "image_digest": lab.image_digest,
        "work_dir": _work_dir(lab.work_dir, question.sizes),
        "gpus": [gpus.told(uuid, lab.gpus_shared) for uuid in lab.gpus],
        "drift": _drift(found, state, digests, gpus),
        **_life(engine, found, token),
    }


def _work_dir(path: str, sizes: bool) -> dict[str, Any] | None:
    if not path:
        return None
    return {"path": path, "owner": _host.owner_of(path), "size": _host.size_of(path) if sizes else None}


def _life(engine: Engine, found: Found, token: str) -> dict[str, Any]:
    """What only a running lab can tell."""
    if found.status != "running":
        nothing = {"jupyterlab_version": None, "python_version": None, "memory": None, "cpu": None}
        return {
            "healthy": False,
            "reason": f"it is {found.status}",
            "busy": False,
            "kernels": [],
            "terminals": 0,
            **nothing,
        }
    activity = _jupyter.activity(found.as_created, token)
    answers = activity.answered or _jupyter.ready(found.as_created)
    return {
        "healthy": answers and found.health != "unhealthy",
        "reason": _illness(found, answers),
        "busy": activity.busy,
        "kernels": list(activity.kernels),
        "terminals": activity.terminals,
        **_containers.versions(engine, found),
        **_containers.usage(engine, found),
    }


def _illness(found: Found, answers: bool) -> str:
    if not answers:
        return f"its server does not answer: docker logs {found.lab.name} says why"
    return "its health check fails" if found.health == "unhealthy" else ""


def _drift(
    found: Found, state: _state.StateDir, digests: Mapping[str, str], gpus: _given.Gpus
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Option -> declared and found: what was last declared against the container as it is, less lost GPUs."""
    declared = state.noted("declared", found.lab.name) or found.as_created
    declared = replace(declared, image_digest=digests.get(declared.image, declared.image_digest))
    there = replace(found.lab, gpus=gpus.there(found.lab.gpus))
    return {
        option.replace("_digest", ""): {"declared": wanted, "found": is_now}
        for option, (is_now, wanted) in differences(declared, there).items()
    }
