# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images as an engine lists them, and which of them are too old to be kept."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ._recipe import LABEL


@dataclass(frozen=True)
class Image:
    """An image that an engine has. ``created`` and ``size`` are in seconds since 1970 and bytes; ``digests`` are names
    by which registries have it."""

    id: str
    tags: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    created: float = 0
    size: int = 0
    digests: tuple[str, ...] = ()

    @property
    def own(self) -> str:
        """The name that never moves, as its labels have it."""
        return f"{self.said('name', '')}:{self.said('tag', '')}"

    @property
    def ours(self) -> bool:
        """Whether its labels are its own: what is built on an image of ours, by whomever, has them too."""
        return self.own in self.tags

    def said(self, name: str, default: Any = None) -> Any:
        """A label of ours; JSON where ``default`` is no text."""
        value = self.labels.get(LABEL + name)
        if value is None:
            return default
        return value if default is None or isinstance(default, str) else json.loads(value)


def listed(item: Mapping[str, Any]) -> Image:
    """An image from its entry in an engine's list."""
    tags = tuple(sorted(tag for tag in item["RepoTags"] or [] if tag != "<none>:<none>"))
    digests = tuple(sorted(item.get("RepoDigests") or []))
    return Image(item["Id"], tags, item["Labels"] or {}, item["Created"], item["Size"], digests)


def newest_first(items: Iterable[Mapping[str, Any]]) -> list[Image]:
    """The images of an engine's list."""
    return sorted(map(listed, items), key=_age)


def of_repository(images: Iterable[Image], repository: str) -> list[Image]:
    """Those with a name in a repository, newest first, each with its names there only."""
    named = ((image, [tag for tag in image.tags if tag.rpartition(":")[0] == repository]) for image in images)
    found = [replace(image, tags=tuple(tags)) for image, tags in named if tags]
    return sorted(found, key=_age)


def superseded(name: str, images: Sequence[Image], after: str) -> list[Image]:
    """The older images of a repository, newest first, once ``name`` is that of the image ``after`` (an id).

    An image with one more name than its own is somebody's present one, such as another tag of this repository.
    """
    return [image for image in images if image.id != after and image.ours and len({*image.tags} - {name}) == 1]


def stale(name: str, keep: int, images: Sequence[Image], after: str, used: Collection[str]) -> list[str]:
    """The names to take away so that ``keep`` older images stay, and all that a container is made of."""
    repository = name.rpartition(":")[0]
    going = [image for image in superseded(name, images, after)[keep:] if image.id not in used]
    return [tag for image in going for tag in image.tags if tag != name and tag.rpartition(":")[0] == repository]


def _age(image: Image) -> tuple[float, str]:
    return -image.created, image.id
