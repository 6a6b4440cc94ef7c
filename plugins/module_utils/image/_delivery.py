# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Give an image out of an engine for others that lack some of its layers: layer by layer, or else as a whole."""

from __future__ import annotations

import gzip
import json
import os
from dataclasses import dataclass
from typing import Any

from .._engine import Engine, patient, translated
from .._errors import BuildError, FleetError, InvalidInput
from . import _images
from ._receiver import Receiver, digest_of, listening
from ._recipe import LABEL

REPOSITORY = "myjupyter-delivery"
TAG = "parcel"


@dataclass(frozen=True)
class Asked:
    """What is to be given out: an image, its layers that somebody lacks, and where files and notes go.

    ``layers`` is None for all of them. ``there`` are digests of files that need not be made again. ``whole``: do not
    try to take it apart. ``configuration``: somebody lacks no more than that.
    """

    name: str
    layers: frozenset[str] | None
    there: frozenset[str]
    folder: str
    notes: str
    whole: bool = False
    configuration: bool = False


def give(engine: Engine, asked: Asked, check: bool) -> dict[str, Any]:
    """Have the engine push the image to a receiver of our own; the result names the files that came of it."""
    found = _images.find(engine, asked.name)
    if not found and check:
        return foretold(asked)
    if not found:
        raise InvalidInput("name", asked.name, "is no image of this host: build it first.")
    layers = list(found["RootFS"]["Layers"])
    meant = frozenset(layers) if asked.layers is None else asked.layers
    strange = sorted(meant - set(layers))
    if strange:
        raise InvalidInput("layers", strange[0], f"is no layer of {asked.name}.")
    known = _read_notes(asked.notes)
    if {found["Id"], *(known.get(layer) for layer in layers)} <= asked.there:
        return _given(asked, found, _parcel(found["Id"], layers, known), {})
    wanted = bool(meant or asked.configuration)
    if check or not wanted:
        return {**_given(asked, found, {}, {}), "changed": wanted}
    os.makedirs(asked.folder, exist_ok=True)
    if asked.whole:
        return _given(asked, found, *_whole(engine, asked, found))
    try:
        return _given(asked, found, *_apart(engine, asked, found, meant))
    except FleetError as error:
        given = _given(asked, found, *_whole(engine, asked, found))
        return {**given, "warnings": [f"{error} So the whole image is brought."]}


def foretold(asked: Asked) -> dict[str, Any]:
    """The result of a check before the image is there, or even an engine: a run would have built it by then."""
    wanted = asked.layers is None or bool(asked.layers or asked.configuration)
    return {"changed": wanted, "parcel": {}, "files": {}, "packed": {}}


def _apart(
    engine: Engine, asked: Asked, found: dict[str, Any], meant: frozenset[str]
) -> tuple[dict[str, Any], dict[str, str]]:
    """A parcel of layers, and the files that came of it."""
    known, layers = _read_notes(asked.notes), list(found["RootFS"]["Layers"])
    unwanted = asked.there | {digest for layer, digest in known.items() if layer not in meant}
    receiver = Receiver(asked.folder, lambda digest: digest not in unwanted)
    _push(engine, found["Id"], receiver)
    blobs = dict(zip(layers, (item["digest"] for item in receiver.manifest["layers"])))
    _write_notes(asked.notes, {**known, **blobs})
    config = receiver.manifest["config"]["digest"]
    wanted = {config, *(blobs[layer] for layer in meant)}
    files = _clear_but(asked.folder, {digest: receiver.path(digest) for digest in wanted - asked.there})
    return _parcel(config, layers, blobs), files


def _whole(engine: Engine, asked: Asked, found: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """One archive, as `docker save` writes it, compressed; and its file."""
    known = _read_notes(asked.notes)
    made = known.get(found["Id"], "")
    if made in asked.there:
        return {"archive": made}, {}
    path = os.path.join(asked.folder, "archive")
    with translated(f"give {asked.name} out"), gzip.open(path, "wb", compresslevel=1) as file, patient(engine) as api:
        file.writelines(api.get_image(asked.name))
    digest = digest_of(path)
    named = os.path.join(asked.folder, digest.replace(":", "-"))
    os.replace(path, named)
    _write_notes(asked.notes, {**known, found["Id"]: digest})
    return {"archive": digest}, _clear_but(asked.folder, {digest: named})


def _parcel(config: str, layers: list[str], blobs: dict[str, str]) -> dict[str, Any]:
    return {"config": config, "layers": layers, "blobs": {layer: blobs[layer] for layer in layers}}


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
        with listening(receiver) as address, translated("give an image out"), patient(engine) as api:
            reference = f"{address}/{REPOSITORY}"
            engine.api.tag(image, reference, TAG)
            try:
                said = list(api.push(reference, TAG, stream=True, decode=True))
            finally:
                engine.api.remove_image(f"{reference}:{TAG}")
    except OSError as error:
        raise BuildError(f"Nobody can listen for the engine's layers: {error}.") from error
    failed = [line["error"] for line in said if "error" in line]
    if failed or not receiver.manifest.get("layers"):
        why = "; ".join(failed) or "it pushed no layers"
        raise BuildError(
            f"The engine at {engine.address.url} cannot give layers out by themselves, as one does that runs on the "
            f"builder itself and as root: {why.rstrip('.')}."
        )


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
