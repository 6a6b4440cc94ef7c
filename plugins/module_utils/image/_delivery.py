# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gives an image out of an engine for others that lack some of its layers: layer by layer, or else as a whole.

Runs on the host together with the courier, and as that does: a program of its own, of the standard library only.
"""

# pylint: disable=ansible-bad-function  # this is a program on a host, not a module: it prints and exits

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import pwd
import shutil
import tempfile

from .._errors import BuildError, EngineError, FleetError, InvalidInput
from .._settings import image_digest
from ._courier import Engine
from ._receiver import Receiver, digest_of, listening

REPOSITORY = "myjupyter-delivery"
TAG = "parcel"
# Which compressed file a layer became, as the engine remembers it too.
NOTES = "/var/lib/myjupyter/layers.json"


def give(order):
    """Give out what is asked for; what came of it, or why nothing did, is printed.

    ``layers`` are those that somebody lacks, None for all of them; with ``configuration`` somebody lacks that.
    ``there`` are the digests of files that need not be made again, ``small`` the bytes up to which files go along with
    the reply, ``owner`` who may fetch larger ones. ``whole``: do not try to take the image apart.
    """
    engine = Engine(order["engine"], order["timeout"])
    folder = tempfile.mkdtemp(prefix="myjupyter-", dir="/var/tmp")
    try:
        reply = _given(engine, order, folder)
    except FleetError as error:
        reply = {"error": str(error)}
    except (OSError, ValueError) as error:
        reply = {"engine": engine.url, "failed": [type(error).__name__, str(error)]}
    files = reply.get("files", {})
    if sum(map(os.path.getsize, files.values())) <= order["small"]:
        reply["contents"] = {digest: _coded(path) for digest, path in files.items()}
        shutil.rmtree(folder)
    else:
        reply["folder"] = folder
        with contextlib.suppress(KeyError):
            os.chown(folder, pwd.getpwnam(order["owner"]).pw_uid, -1)
    print(json.dumps(reply))


def foretold(order):
    """The reply to a check before the image is there, or even an engine: a run would have built it by then."""
    wanted = order["layers"] is None or bool(order["layers"] or order["configuration"])
    return {"changed": wanted, "parcel": {}, "files": {}, "packed": {}}


def _given(engine, order, folder):
    name = order["name"]
    status, (found,) = engine.ask("GET", f"/images/{name}/json")
    if status == 404 and order["check"]:
        return foretold(order)
    if status == 404:
        raise InvalidInput("name", name, "is no image of this host: build it first.")
    if status != 200:
        raise EngineError(f"The engine would not inspect {name}: {found.get('message')}")
    layers, known = found["RootFS"]["Layers"], _read_notes()
    meant = layers if order["layers"] is None else order["layers"]
    strange = sorted(set(meant) - set(layers))
    if strange:
        raise InvalidInput("layers", strange[0], f"is no layer of {name}.")
    if {found["Id"], *(known.get(layer) for layer in layers)} <= set(order["there"]):
        return _told(order, found, _parcel(found["Id"], layers, known))
    wanted = bool(meant or order["configuration"])
    if order["check"] or not wanted:
        return {**_told(order, found, {}), "changed": wanted}
    if order["whole"]:
        return _told(order, found, *_whole(engine, order, folder, found))
    try:
        return _told(order, found, *_apart(engine, order, folder, found, meant))
    except (FleetError, OSError) as error:
        why = f"{str(error).rstrip('.')}. So the whole image is brought."
        anew = Engine(order["engine"], order["timeout"])
        return {**_told(order, found, *_whole(anew, order, folder, found)), "warnings": [why]}


def _apart(engine, order, folder, found, meant):
    """A parcel of layers, and the files that came of it."""
    known, layers, there = _read_notes(), found["RootFS"]["Layers"], set(order["there"])
    unwanted = there | {digest for layer, digest in known.items() if layer not in meant}
    receiver = Receiver(folder, lambda digest: digest not in unwanted)
    _push(engine, found["Id"], receiver)
    blobs = dict(zip(layers, (item["digest"] for item in receiver.manifest["layers"])))
    _write_notes({**known, **blobs})
    config = receiver.manifest["config"]["digest"]
    wanted = {config, *(blobs[layer] for layer in meant)} - there
    return _parcel(config, layers, blobs), _clear_but(folder, {digest: receiver.path(digest) for digest in wanted})


def _whole(engine, order, folder, found):
    """One archive, as `docker save` writes it, compressed; and its file."""
    known = _read_notes()
    made = known.get(found["Id"])
    if made in order["there"]:
        return {"archive": made}, {}
    path = os.path.join(folder, "archive")
    status, answer = engine.answer("GET", f"/images/{order['name']}/get")
    with answer, gzip.open(path, "wb", compresslevel=1) as file:
        if status != 200:
            said = answer.read().decode(errors="replace")
            raise EngineError(f"The engine would not give {order['name']} out: {said}")
        shutil.copyfileobj(answer, file, 1 << 20)
    digest = digest_of(path)
    named = os.path.join(folder, digest.replace(":", "-"))
    os.replace(path, named)
    _write_notes({**known, found["Id"]: digest})
    return {"archive": digest}, _clear_but(folder, {digest: named})


def _parcel(config, layers, blobs):
    return {"config": config, "layers": layers, "blobs": {layer: blobs[layer] for layer in layers}}


def _told(order, found, parcel, files=None):
    """The reply. ``packed`` is all that another host has to know, whenever it comes to it."""
    image = {
        "id": found["Id"],
        "tags": sorted(found.get("RepoTags") or []),
        "layers": found["RootFS"]["Layers"],
        "digest": image_digest(found),
    }
    packed = {"name": order["name"], "image": image, "parcel": parcel}
    return {"changed": bool(files), "parcel": parcel, "files": files or {}, "packed": packed}


def _clear_but(folder, files):
    """Make some files of a folder readable, and remove all others: a layer that nobody asked for may have come too."""
    for path in (os.path.join(folder, name) for name in os.listdir(folder)):
        if path in files.values():
            os.chmod(path, 0o644)
        else:
            os.unlink(path)
    return files


def _push(engine, image, receiver):
    try:
        with listening(receiver) as address:
            name = f"{address}/{REPOSITORY}"
            said = engine.ask("POST", f"/images/{image}/tag?repo={name}&tag={TAG}")[1]
            said += engine.ask("POST", f"/images/{name}/push?tag={TAG}", {"X-Registry-Auth": "e30="})[1]
            engine.ask("DELETE", f"/images/{name}:{TAG}")
    except OSError as error:
        raise BuildError(f"Nobody can listen for the engine's layers: {error}.") from error
    failed = [line[key] for line in said for key in ("error", "message") if key in line]
    if failed or not receiver.manifest.get("layers"):
        why = "; ".join(failed) or "it pushed no layers"
        raise BuildError(
            f"The engine at {engine.url} cannot give layers out by themselves, as one does that runs on the builder "
            f"itself and as root: {why.rstrip('.')}."
        )


def _coded(path):
    with open(path, "rb") as file:
        return base64.b64encode(file.read()).decode()


def _read_notes():
    try:
        with open(NOTES, encoding="utf-8") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return {}


def _write_notes(known):
    os.makedirs(os.path.dirname(NOTES), exist_ok=True)
    with open(f"{NOTES}.new", "w", encoding="utf-8") as file:
        json.dump(known, file)
    os.replace(f"{NOTES}.new", NOTES)
