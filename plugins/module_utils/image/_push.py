# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Have a registry hold an image, under a name that is the image's own and under the one that people use."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._engine import Engine, translated
from .._errors import BuildError, EngineError, InvalidInput
from . import _arrival, _images, _recipe

REGISTRY = re.compile(rf"{_recipe.HOST}(?:{_recipe.COMPONENT}/)*", re.ASCII)


@dataclass(frozen=True)
class Shipment:
    """An image and the registry that it is for: HOST[:PORT]/ and perhaps a path, with a slash at its end."""

    name: str
    registry: str
    login: Mapping[str, str]
    trust: Mapping[str, str]

    @property
    def repository(self) -> str:
        """The name there: without that of another registry, from which the image may be."""
        return self.registry + re.sub(rf"^{_recipe.HOST}", "", self.name.rpartition(":")[0], flags=re.ASCII)


def parse(params: Mapping[str, Any]) -> Shipment:
    """The module's options; raises InvalidInput."""
    registry = f"{params['registry'].rstrip('/')}/"
    if not REGISTRY.fullmatch(registry):
        raise InvalidInput("registry", params["registry"], "is no registry, such as registry.example.edu:5000/labs.")
    if bool(params["username"]) != bool(params["password"]):
        raise InvalidInput("username", params["username"], "and password belong together: give both or none.")
    login = {key: params[key] for key in ("username", "password") if params[key]}
    trust = _arrival.trusting(registry, params["ca"] or "")
    return Shipment(_recipe.full_name(params["name"]), registry, login, trust)


def act(engine: Engine, wanted: Shipment, check: bool) -> dict[str, Any]:
    """Push what the registry lacks. A name that never moves tells whether it has the very image."""
    found = _images.find(engine, wanted.name)
    if not found:
        if check:
            return _result(wanted, "", [wanted.name.rpartition(":")[2]], list(wanted.trust))
        raise InvalidInput("name", wanted.name, "is no image of this host: build it first.")
    trusted = [path for path, text in wanted.trust.items() if _read(path) != text]
    if trusted and check:
        return _result(wanted, found["Id"][7:19], [wanted.name.rpartition(":")[2]], trusted)
    for path in trusted:
        _write(path, wanted.trust[path])
    own, people = found["Id"][7:19], wanted.name.rpartition(":")[2]
    there = {tag: _digest(engine, wanted, tag) for tag in (own, people)}
    lacking = [own] if not there[own] else []
    lacking += [people] if not there[own] or there[people] != there[own] else []
    if not check:
        for tag in lacking:
            _push(engine, wanted, found["Id"], tag)
    return _result(wanted, own, lacking, trusted)


def _result(wanted: Shipment, own: str, lacking: list[str], trusted: list[str]) -> dict[str, Any]:
    steps = [f"write {path}" for path in trusted]
    steps += [f"push {wanted.repository}:{tag}" for tag in lacking]
    return {"changed": bool(steps), "steps": steps, "reference": f"{wanted.repository}:{own}" if own else ""}


def _digest(engine: Engine, wanted: Shipment, tag: str) -> str:
    """What the registry has under a name; empty for nothing."""
    reference = f"{wanted.repository}:{tag}"
    try:
        with translated(f"find {reference} in its registry"):
            return engine.api.inspect_distribution(reference, auth_config=_login(wanted))["Descriptor"]["digest"]
    except EngineError as error:
        if re.search(r"manifest unknown|not found|name unknown", str(error)):
            return ""
        raise BuildError(f"{error}. {_arrival.advice(str(error))}") from error


def _push(engine: Engine, wanted: Shipment, image: str, tag: str) -> None:
    reference = f"{wanted.repository}:{tag}"
    with _images.restored(engine, [reference]) as before, translated(f"push {reference}"):
        if before[reference] != image:
            engine.api.tag(image, wanted.repository, tag)
        lines = engine.api.push(wanted.repository, tag, stream=True, decode=True, auth_config=_login(wanted))
        failed = [line["error"] for line in lines if "error" in line]
    if failed:
        why = failed[0].rstrip(".")
        raise BuildError(f"The engine would not push {reference}: {why}. {_arrival.advice(why)}")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _write(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(f"{path}.new", path)


def _login(wanted: Shipment) -> dict[str, str]:
    """Told with each request, and kept nowhere. An empty one keeps the SDK from looking for others."""
    return dict(wanted.login)
