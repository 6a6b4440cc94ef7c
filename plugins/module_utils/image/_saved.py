# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive that `docker save` wrote: which image in it is meant, and what is in that image."""

from __future__ import annotations

import json
import lzma
import posixpath
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._errors import InvalidInput
from .._settings import settings
from ._recipe import familiar

# What reading a tar raises that is cut off, packed wrongly, or holds something else.
NOT_AN_ARCHIVE = (
    OSError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError, KeyError, TypeError, AttributeError, ValueError
)  # fmt: skip
ZSTD = b"\x28\xb5\x2f\xfd"
# No file that tells of images is larger, and few layers are as small.
SMALL = 4 << 20


@dataclass(frozen=True)
class Saved:
    """An image in an archive, by its configuration. ``others`` are the names of the images beside it."""

    names: tuple[str, ...]
    config: Mapping[str, Any]
    others: tuple[str, ...] = ()

    @property
    def content(self) -> dict[str, Any]:
        return content(self.config["rootfs"]["diff_ids"], self.config.get("config") or {})

    @property
    def platform(self) -> str:
        return f"{self.config['os']}/{self.config['architecture']}"


def content(layers: Sequence[str], config: Mapping[str, Any]) -> dict[str, Any]:
    """What is in an image, wherever it is, to compare it by."""
    return {"layers": list(layers), "settings": settings(config), "labels": config.get("Labels") or {}}


def find(path: str, reference: str) -> Saved:
    """The image that an archive on the host has for a name. Raises InvalidInput."""
    try:
        with open(path, "rb") as file:
            packed = file.read(len(ZSTD)) == ZSTD
    except OSError as error:
        raise InvalidInput("archive", path, f"is no file on this host that can be read: {error.strerror}.") from error
    if packed:
        raise InvalidInput("archive", path, "is packed with zstd: unpack it, or pack it with gzip.")
    try:
        with tarfile.open(path) as archive:
            return chosen(path, held(path, _small_files(archive)), familiar(reference))
    except NOT_AN_ARCHIVE as error:
        raise InvalidInput("archive", path, "is no image that `docker save` wrote, or not all of it.") from error


def held(path: str, texts: Mapping[str, bytes]) -> list[Saved]:
    """The images of an archive, from its small files by name."""
    if "manifest.json" not in texts and "oci-layout" in texts:
        wanted = "is an OCI layout without manifest.json: write it with `docker save`, or skopeo's docker-archive."
        raise InvalidInput("archive", path, wanted)
    images = []
    for entry in json.loads(texts["manifest.json"]):
        config = json.loads(texts[posixpath.normpath(entry["Config"])])
        images.append(Saved(tuple(familiar(tag) for tag in entry["RepoTags"] or ()), config))
    return images


def chosen(path: str, images: Sequence[Saved], reference: str) -> Saved:
    """The image that has a name, or that is alone in its archive."""
    found = next((image for image in images if reference in image.names), images[0] if len(images) == 1 else None)
    others = tuple(sorted(name for image in images if image is not found for name in image.names))
    if found is None:
        nameless = sum(not image.names for image in images)
        said = [*others, *([f"{nameless} without a name"] if nameless else [])]
        wanted = f"holds {len(images)} images ({', '.join(said)}), and not {reference}: name one, or save one alone."
        raise InvalidInput("archive", path, wanted)
    return replace(found, others=others)


def _small_files(archive: tarfile.TarFile) -> dict[str, bytes]:
    """The small files of an archive in one pass: which of them are of use is said by one that may be the last."""
    found = {}
    for member in archive:
        file = archive.extractfile(member) if member.isfile() and member.size <= SMALL else None
        if file:
            found[posixpath.normpath(member.name)] = file.read()
    return found
