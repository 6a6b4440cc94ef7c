# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image that comes to a host: what is there already, what the engine is to be told, what its answer means."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._errors import BuildError, EngineError, FleetError, InvalidInput
from .._settings import image_digest
from . import _kept, _layers, _recipe
from ._kept import Image
from ._layers import Parcel
from ._recipe import LABEL

# The labels that have to be known of each image.
LABELS = [f"{LABEL}{name}" for name in ("name", "tag")]


@dataclass(frozen=True)
class Expected:
    """What a host is to have. ``image`` is what the module image told of it; ``parcel`` is None before it is packed,
    ``reference`` the name in a registry to pull it from, if it comes from one. ``trust``: the file with its CA."""

    name: str
    image: Mapping[str, Any]
    parcel: Parcel | None
    keep: int
    reference: str = ""
    username: str = ""
    password: str = ""
    trust: Mapping[str, str] = field(default_factory=dict)

    @property
    def layers(self) -> list[str]:
        return list(self.image.get("layers") or [])

    @property
    def tags(self) -> list[str]:
        """The name that is asked for, and the image's own in the same repository."""
        repository = self.name.rpartition(":")[0]
        own = [tag for tag in self.image.get("tags") or [] if tag.rpartition(":")[0] == repository]
        return list(dict.fromkeys([self.name, *own]))


@dataclass(frozen=True)
class Here:
    """What an engine has. ``layers`` by the id of an image, ``named`` when it got its last name, as a text that sorts;
    ``digest`` is that of the one which has the name; ``used`` are the images that containers are made of.

    ``files`` are those of layers, as manifests describe them, where an engine keeps images with containerd: None for
    other engines, which keep no files.
    """

    images: tuple[Image, ...]
    layers: Mapping[str, Sequence[str]]
    named: Mapping[str, str]
    digest: str
    used: frozenset[str]
    files: Mapping[str, Any] | None


def parse(params: Mapping[str, Any]) -> Expected:
    """The options of `image_import`; raises InvalidInput."""
    if params["keep"] < 0:
        raise InvalidInput("keep", params["keep"], "is how many older images stay: 0 or more.")
    reference = params["reference"] or ""
    if reference and not _recipe.REFERENCE.fullmatch(reference):
        raise InvalidInput("reference", reference, "is no name in a registry, such as registry.example.edu/lab:2024.")
    parcel = _layers.parcel(params["parcel"]) if params["parcel"] else None
    said = {key: params[key] or "" for key in ("username", "password")}
    name = _recipe.full_name(params["name"])
    trust = trusting(params["registry"] or "", params["ca"] or "")
    return Expected(name, params["image"], parcel, params["keep"], reference, **said, trust=trust)


def trusting(registry: str, ca: str) -> dict[str, str]:
    """The file, by its path, that has an engine trust a registry's CA. Raises InvalidInput."""
    if ca and "-----BEGIN CERTIFICATE-----" not in ca:
        raise InvalidInput("ca", ca[:40], "is no PEM certificate: give its text.")
    return {f"/etc/docker/certs.d/{registry.partition('/')[0]}/ca.crt": f"{ca.strip()}\n"} if ca else {}


def here(reply: Mapping[str, Any]) -> Here:
    """What a host's reply says. Raises EngineError where its engine could not be asked."""
    if "failed" in reply:
        raise unreachable(reply)
    containerd = any(value.startswith("io.containerd") for _name, value in reply.get("storage") or [])
    files = {layer: file for item in reply["images"] for layer, file in item["Noted"].items()}
    return Here(
        tuple(_kept.listed(item) for item in reply["images"]),
        {item["Id"]: item["Layers"] for item in reply["images"]},
        {item["Id"]: item["Named"] for item in reply["images"]},
        next((_digest(item) for item in reply["images"] if item["Config"] is not None), ""),
        frozenset(reply["used"]),
        files if containerd else None,
    )


def _digest(item: Mapping[str, Any]) -> str:
    return image_digest({"RootFS": {"Layers": item["Layers"]}, "Config": item["Config"]})


def unreachable(reply: Mapping[str, Any]) -> EngineError:
    """What to do about an engine that does not answer."""
    return EngineError(
        f"Could not ask the engine at {reply['engine']}: {reply['failed'][1]}. Is it running? `docker info` on the "
        "host tells; docker_host names another one, and the remote user needs a right to use it (become: true)."
    )


def absent(reply: Mapping[str, Any]) -> bool:
    """Whether the reply is that of a bare host."""
    return reply.get("failed", [""])[0] in ("FileNotFoundError", "ConnectionRefusedError")


def same(found: Here, expected: Expected) -> Image | None:
    """The image by what it is: an id is given anew by engines that keep images with containerd."""
    image = next((image for image in found.images if expected.name in image.tags), None)
    if image is None:
        return None
    return image if image.id == expected.image.get("id") or found.digest == expected.image.get("digest") else None


def lacking(found: Here, expected: Expected) -> list[str]:
    """The layers to bring. An engine that keeps images with containerd has each one that it has a file of."""
    if found.files is not None:
        return [layer for layer in dict.fromkeys(expected.layers) if layer not in found.files]
    return _layers.lacking(expected.layers, found.layers.values())


def kept(found: Here, expected: Expected) -> dict[str, Any] | None:
    """The files of the image's layers that need not be brought; None where an engine keeps none."""
    if found.files is None:
        return None
    return {layer: found.files[layer] for layer in expected.layers if layer in found.files}


def verify(found: Here, expected: Expected, host: str) -> Image:
    """The image that came. Raises BuildError, which names the host, where it is not the one that was given out."""
    image = next((image for image in found.images if expected.name in image.tags), None)
    if image is None or list(found.layers[image.id]) != expected.layers:
        there = "no such image" if image is None else f"{len(found.layers[image.id])} layers of another image"
        raise BuildError(
            f"{host} has not the same layers for {expected.name} as the host that gave it out, but {there}: "
            "somebody named or built another one there in the meantime. Run again."
        )
    return image


def stale(found: Here, expected: Expected, after: str) -> list[str]:
    """The names of older images to take away: those that came last stay, whatever the age of what they are built on."""
    images = _kept.of_repository(found.images, expected.name.rpartition(":")[0])
    images.sort(key=lambda image: found.named[image.id], reverse=True)
    return _kept.stale(expected.name, expected.keep, images, after, found.used)


def loading(expected: Expected, parts: Sequence[_layers.Part]) -> list[list[Any]]:
    """Requests that load an image from an archive, and give it all its names."""
    # Quietly: an engine that tells how far it is while it is sent to waits until it is listened to.
    request = ["POST", "/images/load?quiet=1", {"Content-Type": "application/x-tar"}, list(parts)]
    return [request, *_naming(expected.name, expected.tags[1:])]


def pulling(expected: Expected) -> list[list[Any]]:
    """Requests that pull an image, give it its names here and take that of the registry away."""
    repository, _colon, tag = expected.reference.rpartition(":")
    login = {"username": expected.username, "password": expected.password}
    coded = base64.urlsafe_b64encode(json.dumps(login).encode()).decode()
    headers = {"X-Registry-Auth": coded} if expected.username else {}
    request = ["POST", f"/images/create?fromImage={repository}&tag={tag}", headers, None]
    return [request, *_naming(expected.reference, expected.tags), *removing([expected.reference])]


def _naming(image: str, tags: Sequence[str]) -> list[list[Any]]:
    # No letter that a name may have means anything in an address.
    requests: list[list[Any]] = []
    for name in tags:
        repository, _colon, tag = name.rpartition(":")
        requests.append(["POST", f"/images/{image}/tag?repo={repository}&tag={tag}", {}, None])
    return requests


def removing(tags: Sequence[str]) -> list[list[Any]]:
    return [["DELETE", f"/images/{tag}", {}, None] for tag in tags]


def refused(expected: Expected, why: str) -> FleetError:
    """What to do about an engine that would not load or pull."""
    if not expected.reference:
        return EngineError(f"The engine would not load {expected.name}: {why}")
    return BuildError(f"The engine would not pull {expected.reference}: {why.rstrip('.')}. {advice(why)}")


def advice(why: str) -> str:
    """What helps where a registry and an engine do not agree."""
    if "certificate" in why or "x509" in why:
        return "It does not trust the registry: give the CA's certificate (jupyter_image_registry_ca)."
    if "HTTP response to HTTPS" in why:
        return "The registry speaks no TLS: use one that does, or name it in the daemon's insecure-registries."
    if "unauthorized" in why or "no basic auth" in why or "denied" in why:
        return "Set jupyter_image_registry_username and jupyter_image_registry_password to a login that it knows."
    return "Can the host reach the registry, and is it running?"
