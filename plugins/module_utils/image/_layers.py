# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers on their way from one engine to others: which are lacking, and the archive that an engine loads."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from .._errors import InvalidInput

BLOCK = 1 << 20


@dataclass(frozen=True)
class Parcel:
    """An image taken apart. ``config`` and the values of ``blobs`` (layer -> file) are digests of compressed files."""

    config: str
    layers: tuple[str, ...]
    blobs: Mapping[str, str]


def lacking(wanted: Sequence[str], chains: Iterable[Sequence[str]]) -> list[str]:
    """The layers of an image that an engine lacks. It finds a layer only on top of the same layers as before."""
    common = 0
    for chain in chains:
        same = next((i for i, (a, b) in enumerate(zip(wanted, chain)) if a != b), min(len(wanted), len(chain)))
        common = max(common, same)
    return list(dict.fromkeys(wanted[common:]))


def parcel(said: Mapping[str, Any]) -> Parcel:
    """A parcel as a result of `image_export` tells of it. Raises InvalidInput."""
    try:
        return Parcel(str(said["config"]), tuple(said["layers"]), dict(said["blobs"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("parcel", said, "is not what myjupyter.fleet.image_export returned.") from error


def manifest(found: Parcel, tags: Sequence[str]) -> bytes:
    """The manifest.json of an archive as `docker load` takes it. Layers that are there are named, and not in it."""
    files = [layer_file(found, layer) for layer in found.layers]
    return json.dumps([{"Config": config_file(found), "RepoTags": list(tags), "Layers": files}]).encode()


def config_file(found: Parcel) -> str:
    return f"{found.config.partition(':')[2]}.json"


def layer_file(found: Parcel, layer: str) -> str:
    return f"{found.blobs.get(layer, layer).partition(':')[2]}/layer.tar"


def archive(members: Iterable[tuple[str, int, IO[bytes]]]) -> Iterator[bytes]:
    """A tar of (name, size in bytes, content), piece by piece: nothing large is held, or written to disk."""
    for name, size, content in members:
        info = tarfile.TarInfo(name)
        info.size = size
        yield info.tobuf()
        while piece := content.read(BLOCK):
            yield piece
        yield b"\0" * (-size % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)
