# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give an image out of one engine, layer by layer, and take it into another that lacks some of them."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from .._engine import Engine, translated
from .._errors import BuildError, EngineError, InvalidInput
from . import _image, _images, _layers
from ._layers import Parcel
from ._receiver import Receiver, digest_of, listening
from ._recipe import LABEL

REPOSITORY = "myjupyter-delivery"
TAG = "parcel"


@dataclass(frozen=True)
class Asked:
    """What is to be given out: an image, its layers that somebody lacks, and where files and notes go.

    ``layers`` is None for all of them. ``there`` are digests of files that need not be made again.
    """

    name: str
    layers: frozenset[str] | None
    there: frozenset[str]
    folder: str
    notes: str


@dataclass(frozen=True)
class Expected:
    """What is to be taken in. ``image`` is what the module image told of it; ``parcel`` is None before it is packed."""

    name: str
    image: dict[str, Any]
    parcel: Parcel | None
    folder: str
    keep: int


def give(engine: Engine, asked: Asked, check: bool) -> dict[str, Any]:
    """Have the engine push the image to a receiver of our own; the result names the files that came of it."""
    found = _images.find(engine, asked.name)
    if not found:
        raise InvalidInput("name", asked.name, "is no image of this host: build it first.")
    layers = list(found["RootFS"]["Layers"])
    meant = set(layers) if asked.layers is None else asked.layers
    strange = sorted(meant - set(layers))
    if strange:
        raise InvalidInput("layers", strange[0], f"is no layer of {asked.name}.")
    known = _read_notes(asked.notes)
    if {found["Id"], *(known.get(layer) for layer in layers)} <= asked.there:
        blobs = {layer: known[layer] for layer in layers}
        return _given(asked, found, {"config": found["Id"], "layers": layers, "blobs": blobs}, {})
    if check or not meant:
        return {**_given(asked, found, {}, {}), "changed": bool(meant)}
    os.makedirs(asked.folder, exist_ok=True)
    unwanted = asked.there | {digest for layer, digest in known.items() if layer not in meant}
    receiver = Receiver(asked.folder, lambda digest: digest not in unwanted)
    _push(engine, found["Id"], receiver)
    blobs = dict(zip(layers, (item["digest"] for item in receiver.manifest["layers"])))
    _write_notes(asked.notes, {**known, **blobs})
    config = receiver.manifest["config"]["digest"]
    wanted = {config, *(blobs[layer] for layer in meant)}
    files = _clear_but(asked.folder, {digest: receiver.path(digest) for digest in wanted - asked.there})
    return _given(asked, found, {"config": config, "layers": layers, "blobs": blobs}, files)


def take(engine: Engine, expected: Expected, check: bool) -> dict[str, Any]:
    """Load the image from the files of a parcel; in a check, say which layers are lacking."""
    found = _images.find(engine, expected.name)
    wanted = expected.image.get("layers") or []
    if found and _same(found, expected.image):
        images = _images.named(engine, expected.name.rpartition(":")[0])
        steps = _image.prune(engine, expected.name, expected.keep, images, found["Id"], check)
        return {"changed": bool(steps), "steps": steps, "lacking": []}
    lacking = list(dict.fromkeys(wanted)) if _needs_all(engine) else _layers.lacking(wanted, _chains(engine))
    steps = [f"bring {expected.name}"]
    if check:
        return {"changed": True, "steps": steps, "lacking": lacking}
    if expected.parcel is None:
        raise InvalidInput(
            "parcel", None, "is what myjupyter.fleet.image_export returned; without it only a check runs."
        )
    _load(engine, expected, expected.parcel, lacking)
    loaded = _images.find(engine, expected.name)
    if not loaded or list(loaded["RootFS"]["Layers"]) != list(wanted):
        raise BuildError(f"{expected.name} was loaded, and its layers are not those that were given out: run again.")
    images = _images.named(engine, expected.name.rpartition(":")[0])
    steps += _image.prune(engine, expected.name, expected.keep, images, loaded["Id"], check)
    return {"changed": True, "steps": steps, "lacking": []}


def _given(asked: Asked, found: dict[str, Any], parcel: dict[str, Any], files: dict[str, str]) -> dict[str, Any]:
    """The result of giving out. ``packed`` is all that another host has to know, whenever it comes to it."""
    image = {
        "id": found["Id"],
        "tags": sorted(found.get("RepoTags") or []),
        "layers": list(found["RootFS"]["Layers"]),
        "recipe": (found["Config"].get("Labels") or {}).get(f"{LABEL}recipe", ""),
    }
    packed = {"name": asked.name, "image": image, "parcel": parcel}
    return {"changed": bool(files), "parcel": parcel, "files": files, "packed": packed}


def _clear_but(folder: str, files: dict[str, str]) -> dict[str, str]:
    """Make some files of a folder readable, and remove all others: a layer that nobody asked for may have come too."""
    for path in (os.path.join(folder, name) for name in os.listdir(folder)):
        if path in files.values():
            os.chmod(path, 0o644)
        else:
            os.unlink(path)
    return files


def _push(engine: Engine, image: str, receiver: Receiver) -> None:
    try:
        with listening(receiver) as address, translated("give an image out"):
            reference = f"{address}/{REPOSITORY}"
            engine.api.tag(image, reference, TAG)
            try:
                said = list(engine.api.push(reference, TAG, stream=True, decode=True))
            finally:
                engine.api.remove_image(f"{reference}:{TAG}")
    except OSError as error:
        raise BuildError(
            f"Nobody can listen for the engine's layers: {error}. Does another run deliver here?"
        ) from error
    failed = [line["error"] for line in said if "error" in line]
    if failed or not receiver.manifest:
        why = "; ".join(failed) or "it pushed nothing"
        raise BuildError(
            f"The engine at {engine.address.url} could not give the image out: {why}. It has to run on the builder "
            "itself, as root: or choose jupyter_image_delivery: build."
        )


def _load(engine: Engine, expected: Expected, parcel: Parcel, lacking: Sequence[str]) -> None:
    tags = [*dict.fromkeys([expected.name, *(expected.image.get("tags") or [])])]
    with contextlib.ExitStack() as opened, translated(f"load {expected.name}"):
        said = engine.api.load_image(_layers.archive(_members(opened, expected, parcel, tags, lacking)))
        errors = [line["error"] for line in said if "error" in line]
    if errors:
        raise EngineError(f"The engine would not load {expected.name}: {'; '.join(errors)}")


def _members(
    opened: contextlib.ExitStack, expected: Expected, parcel: Parcel, tags: Sequence[str], lacking: Sequence[str]
) -> Iterator[tuple[str, int, IO[bytes]]]:
    content = _layers.manifest(parcel, tags)
    yield "manifest.json", len(content), io.BytesIO(content)
    wanted = {parcel.config: _layers.config_file(parcel)}
    wanted.update({parcel.blobs[layer]: _layers.layer_file(parcel, layer) for layer in lacking})
    for digest, name in wanted.items():
        path = os.path.join(expected.folder, digest.replace(":", "-"))
        if not os.path.exists(path) or digest_of(path) != digest:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            raise BuildError(f"{path} is not whole: run again, and it is brought once more.")
        file = opened.enter_context(open(path, "rb"))  # noqa: SIM115  # the stack closes it
        yield name, os.path.getsize(path), file


def _same(found: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """By what it is: an id is given anew by engines that keep images with containerd."""
    recipe = (found["Config"].get("Labels") or {}).get(f"{LABEL}recipe", "")
    layers = list(found["RootFS"].get("Layers") or [])
    return found["Id"] == wanted.get("id") or (layers == wanted.get("layers") and recipe == wanted.get("recipe") != "")


def _needs_all(engine: Engine) -> bool:
    """Whether an engine keeps images with containerd, which has no layer by its place on others."""
    with translated("ask the engine about its storage"):
        status = engine.api.info().get("DriverStatus") or []
    return any(value.startswith("io.containerd") for _name, value in status)


def _chains(engine: Engine) -> list[list[str]]:
    with translated("list the images"):
        ids = {item["Id"] for item in engine.api.images(all=True)}
    return [list(_images.find(engine, image).get("RootFS", {}).get("Layers") or []) for image in sorted(ids)]


def _read_notes(path: str) -> dict[str, str]:
    """Which compressed file a layer became, as the engine remembers it too."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {}


def _write_notes(path: str, known: dict[str, str]) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(known, file)
    os.replace(f"{path}.new", path)
