# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers on their way from one engine to others: which are lacking, and the archive that an engine loads."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import tarfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

from .._errors import InvalidInput

# Files of so many bytes together are compressed anew. What goes beside a layer is a twentieth of it then, at most, for
# any layer of more than 40 kB, and for larger ones anyway.
SLIM = 256 << 10

# What an OCI layout is made of: https://github.com/opencontainers/image-spec/blob/main/media-types.md
OCI = "application/vnd.oci.image."
MANIFEST = f"{OCI}manifest.v1+json"
# How a layer's file is compressed, by its first bytes.
COMPRESSED = {b"\x1f\x8b": "+gzip", b"\x28\xb5\x2f\xfd": "+zstd"}

# What an archive is made of: text, bytes that go along (their number), or [the path of a file on the host].
Part = Union[str, int, list[str]]
END = "\0" * (2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True)
class Parcel:
    """An image taken apart, or ``archive``, the digest of one that is whole.

    ``config`` and the values of ``blobs`` (layer -> file) are digests of files, those of layers compressed.
    """

    config: str = ""
    layers: tuple[str, ...] = ()
    blobs: Mapping[str, str] = field(default_factory=dict)
    archive: str = ""

    def needed(self, lacking: Sequence[str]) -> list[str]:
        """The digests of the large files that a host needs which lacks some layers."""
        return [self.archive] if self.archive else list(dict.fromkeys(self.blobs[layer] for layer in lacking))


@dataclass(frozen=True)
class Along:
    """Files that go along with an order, and their sizes when they are there. ``slim``: as one stream of bzip2."""

    content: bytes = b""
    sizes: tuple[int, ...] = ()
    slim: bool = False


NOTHING = Along()


def along(files: Sequence[bytes], as_they_are: bool = False) -> Along:
    """Files to go along. bzip2 needs a fifth less than an engine's gzip, and in Python a second for 10 MB."""
    if sum(map(len, files)) <= SLIM and not as_they_are:
        try:
            raw = [gzip.decompress(file) for file in files]
            return Along(bz2.compress(b"".join(raw)), tuple(map(len, raw)), slim=True)
        except (OSError, EOFError, zlib.error):
            pass  # of another kind, or not whole: the engine says which
    return Along(b"".join(files), tuple(map(len, files)))


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
        if said.get("archive"):
            return Parcel(archive=str(said["archive"]))
        return Parcel(str(said["config"]), tuple(said["layers"]), dict(said["blobs"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("parcel", said, "is not what myjupyter.fleet.image_export returned.") from error


def archive(found: Parcel, tags: Sequence[str], config: str, files: Mapping[str, tuple[int, Part]]) -> list[Part]:
    """An archive as `docker load` takes it, in parts. Layers that are there are named, and not in it.

    ``config`` is the text of the image's configuration, ``files`` the size and the place of each layer's file.
    """
    names = [_layer_file(found, layer) for layer in found.layers]
    config_name = f"{_hex(found.config)}.json"
    entry = {"Config": config_name, "RepoTags": list(tags), "Layers": names}
    parts = [*_member("manifest.json", json.dumps([entry])), *_member(config_name, config)]
    for file, (size, part) in files.items():
        parts += _file(f"{_hex(file)}/layer.tar", size, part)
    return [*parts, END]


def described(digest: str, size: int, start: bytes) -> dict[str, Any]:
    """A layer's file as a manifest has it; ``start`` are its first bytes."""
    kind = next((kind for magic, kind in COMPRESSED.items() if start.startswith(magic)), "")
    return {"mediaType": f"{OCI}layer.v1.tar{kind}", "digest": digest, "size": size}


def manifest(found: Parcel, config: str, files: Mapping[str, Any]) -> str:
    """The text of an image's manifest; ``files`` are its layers' files, as `described`."""
    about = {"mediaType": f"{OCI}config.v1+json", "digest": found.config, "size": len(config)}
    layers = [files[layer] for layer in found.layers]
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": about, "layers": layers})


def layout(found: Parcel, name: str, text: str, config: str, files: Mapping[str, tuple[int, Part]]) -> list[Part]:
    """The same as `archive` for an engine that keeps images with containerd: files that it has are named in the
    manifest ``text``, and not contained. ``name`` is the image's in full, with its registry."""
    named = digest(text)
    entry = {"mediaType": MANIFEST, "digest": named, "size": len(text)}
    index = {"schemaVersion": 2, "manifests": [{**entry, "annotations": {"io.containerd.image.name": name}}]}
    parts = [*_member("oci-layout", '{"imageLayoutVersion": "1.0.0"}'), *_member("index.json", json.dumps(index))]
    parts += [*_member(_blob(named), text), *_member(_blob(found.config), config)]
    for file, (size, part) in files.items():
        parts += _file(_blob(file), size, part)
    return [*parts, END]


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode('latin-1')).hexdigest()}"


def _layer_file(found: Parcel, layer: str) -> str:
    return f"{_hex(found.blobs.get(layer, layer))}/layer.tar"


def _blob(name: str) -> str:
    return f"blobs/sha256/{_hex(name)}"


def _member(name: str, content: str) -> list[Part]:
    return _file(name, len(content), content)


def _file(name: str, size: int, part: Part) -> list[Part]:
    info = tarfile.TarInfo(name)
    info.size = size
    return [info.tobuf().decode("latin-1"), part, "\0" * (-size % tarfile.BLOCKSIZE)]


def _hex(digest: str) -> str:
    return digest.partition(":")[2]
