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
from ._lab import Lab
from ._plan import by_name, differences
from ._report import url_of


@dataclass(frozen=True)
class Question:
    """Which labs, and what of them. ``names`` empty: all."""

    names: tuple[str, ...]
    state_dir: str
    hostname: str = ""
    show_tokens: bool = False
    sizes: bool = True

    @property
    def state(self) -> _state.StateDir:
        return _state.StateDir(self.state_dir)


def ask(engine: Engine, question: Question) -> dict[str, Any]:
    """The module's result."""
    found, _leftovers = by_name(_containers.observe(engine).labs)
    chosen = [item for name, item in sorted(found.items()) if not question.names or name in question.names]
    digests = _containers.digests(engine, [item.as_created.image for item in chosen])
    gone = [lab for lab in question.state.all_noted("declared") if _is_missing(lab, found, question)]
    missing = [_missing(lab, question) for lab in gone]
    if not chosen:
        return {"changed": False, "labs": missing}
    gpus = _given.look() if any(item.lab.gpus for item in chosen) else _given.Gpus()
    with ThreadPoolExecutor(max_workers=8) as pool:
        labs = list(pool.map(lambda item: _about(engine, item, question, digests, gpus), chosen))
    return {"changed": False, "labs": sorted([*labs, *missing], key=lambda lab: lab["name"])}


def _is_missing(lab: Lab, found: Mapping[str, Found], question: Question) -> bool:
    """Whether a lab was declared and somebody removed its container; an ephemeral one goes by itself."""
    asked = not question.names or lab.name in question.names
    return asked and not lab.ephemeral and lab.name not in found


def _about(
    engine: Engine, found: Found, question: Question, digests: Mapping[str, str], gpus: _given.Gpus
) -> dict[str, Any]:  # fmt: skip
    lab = found.lab
    declared = question.state.noted("declared", lab.name) or found.as_created
    return {
        **_identity(lab, question),
        "state": found.status,
        "declared_state": _declared_state(declared),
        "since": found.started_at,
        "gpus": [gpus.told(uuid, lab.gpus_shared) for uuid in lab.gpus],
        "drift": _drift(found, declared, digests, gpus),
        **_life(engine, found, question.state.token(lab.name)),
    }


def _missing(lab: Lab, question: Question) -> dict[str, Any]:
    """A lab that was declared and has no container."""
    told = {"state": "missing", "declared_state": _declared_state(lab), "since": "", "gpus": [], "drift": {}}
    return {
        **_identity(lab, question),
        **told,
        **_lifeless("its container was removed: run the playbook site again"),
    }


def _identity(lab: Lab, question: Question) -> dict[str, Any]:
    token = question.state.token(lab.name) if question.show_tokens else ""
    return {
        "name": lab.name,
        "url": url_of(lab, question.hostname, token),
        "bind_address": lab.bind_address,
        "port": lab.port,
        "image": lab.image,
        "image_digest": lab.image_digest,
        "work_dir": _work_dir(lab.work_dir, question.sizes),
    }


def _declared_state(lab: Lab) -> str:
    return "stopped" if lab.state == "stopped" else "started"


def _work_dir(path: str, sizes: bool) -> dict[str, Any] | None:
    if not path:
        return None
    return {"path": path, "owner": _host.owner_of(path), "size": _host.size_of(path) if sizes else None}


def _life(engine: Engine, found: Found, token: str) -> dict[str, Any]:
    """What only a running lab can tell."""
    if found.status != "running":
        return _lifeless(f"it is {found.status}")
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


def _lifeless(reason: str) -> dict[str, Any]:
    nothing = {"jupyterlab_version": None, "python_version": None, "memory": None, "cpu": None}
    return {"healthy": False, "reason": reason, "busy": False, "kernels": [], "terminals": 0, **nothing}


def _illness(found: Found, answers: bool) -> str:
    if not answers:
        return f"its server does not answer: docker logs {found.lab.name} says why"
    return "its health check fails" if found.health == "unhealthy" else ""


def _drift(
    found: Found, declared: Lab, digests: Mapping[str, str], gpus: _given.Gpus
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Option -> declared and found: what was last declared against the container as it is, less lost GPUs."""
    declared = replace(declared, image_digest=digests.get(declared.image, declared.image_digest))
    there = replace(found.lab, gpus=gpus.there(found.lab.gpus))
    started = "started" if found.running else "stopped"
    other = {"state": (started, _declared_state(declared))} if started != _declared_state(declared) else {}
    return {
        option.replace("_digest", ""): {"declared": wanted, "found": is_now}
        for option, (is_now, wanted) in {**differences(declared, there), **other}.items()
    }
