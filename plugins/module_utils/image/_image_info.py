# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is to know of a host's images, for the module image_info."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from .._engine import Engine, translated
from .._errors import InvalidInput
from . import _images
from ._kept import Image
from ._recipe import LABEL, REFERENCE, familiar


@dataclass(frozen=True)
class Asked:
    """Names of images, with a tag or for all tags; none for all that this collection has built."""

    names: tuple[str, ...]


def parse(params: Mapping[str, Any]) -> Asked:
    """The module's options; raises InvalidInput."""
    for name in params["names"]:
        if not REFERENCE.fullmatch(name):
            raise InvalidInput("names", name, "is no name of an image, such as myjupyter or team/lab:2024.")
    return Asked(tuple(params["names"]))


def act(engine: Engine, asked: Asked, check: bool) -> dict[str, Any]:
    """The module's result; the same in a check."""
    found = [image for name in asked.names for image in _found(engine, name)] or ([] if asked.names else _ours(engine))
    images = {image.id: image for image in found}
    users = _images.users(engine) if images else {}
    bases = {base: _layers(_images.find(engine, base)) for base in _said(images, "base") if base}
    inspected = {image: _images.find(engine, image) for image in images}
    # A builder with all in its cache gives an image the age of that, so the newest is what was named last.
    newest = sorted(images.values(), key=lambda image: _images.since(inspected[image.id]), reverse=True)
    said = [_about(image, inspected[image.id], users.get(image.id, []), bases) for image in newest]
    return {"changed": False, "images": said}


def without_engine(asked: Asked) -> dict[str, Any]:
    """There are no images where there is no engine."""
    return {"changed": False, "images": []}


def _found(engine: Engine, name: str) -> list[Image]:
    name = familiar(name)
    match = cast(Any, REFERENCE.fullmatch(name))
    if match[2] or match[3]:
        image = _images.of(_images.find(engine, name))
        return [image] if image else []
    return _images.named(engine, name)


def _ours(engine: Engine) -> list[Image]:
    with translated("list the images"):
        items = engine.api.images(filters={"label": f"{LABEL}recipe"})
    images = [_images.of(_images.find(engine, item["Id"])) for item in items]
    return [image for image in images if image and image.ours]


def _said(images: Mapping[str, Image], name: str) -> set[str]:
    return {image.said(name, "") for image in images.values()}


def _layers(found: Mapping[str, Any]) -> list[str]:
    return (found.get("RootFS") or {}).get("Layers") or []


def _about(
    image: Image, inspected: Mapping[str, Any], users: Sequence[str], bases: Mapping[str, list[str]]
) -> dict[str, Any]:
    layers, base = _layers(inspected), image.said("base", "")
    repository = image.tags[0].rpartition(":")[0] if image.tags else ""
    created = datetime.datetime.fromtimestamp(image.created, datetime.timezone.utc)
    return {
        **_images.about(image, repository),
        "digests": inspected.get("RepoDigests") or [],
        "created": created.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "layers": layers,
        "containers": list(users),
        "current": f"{repository}:latest" in image.tags,
        "base_changed": bool(bases.get(base)) and layers[: len(bases[base])] != bases[base],
        "declaration": image.said("declaration", {}),
    }
