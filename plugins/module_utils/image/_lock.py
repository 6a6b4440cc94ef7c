# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the resolver found: which packages go into which layer, and how they differ from an older image's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._errors import BuildError, masked
from ._requirements import Requirements

# Sizes of a wheel in bytes from which a package has its place in a lower layer, the largest lowest.
TIERS = (100_000_000, 5_000_000, 0)
# More layers than this are sorted anew: an engine has a limit, and each one costs a container at build time.
MOST_LAYERS = 12
# Bytes of wheels that are fetched before they are compiled.
PART = 25_000_000

Packages = Mapping[str, str]
Layers = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Base:
    """What the resolver saw of the image that is built on. ``owner`` is the uid and gid of what is installed."""

    python: str
    executable: str
    owner: tuple[int, int]
    user: tuple[int, int]
    home: str
    installed: Packages
    conda: str = ""


@dataclass(frozen=True)
class Lock:
    """A resolution: ``entries`` are to be installed, each as pylock.toml has it; ``packages`` is all that results;
    ``warnings`` are the resolver's."""

    base: Base
    entries: tuple[dict[str, Any], ...] = ()
    packages: Packages = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def read(text: str, requirements: Requirements) -> Lock:
    """What the resolver wrote. Raises BuildError with its reason where it found no way."""
    said = json.loads(text)
    if said["error"]:
        raise BuildError(said["error"])
    about = said["base"]
    base = Base(**{**about, "owner": tuple(about["owner"]), "user": tuple(about["user"])})
    entries = tuple(_verified(entry, dict(requirements.hashes)) for entry in said["entries"])
    packages = {**base.installed, **{entry["name"]: _version(entry) for entry in entries}}
    lacking = tuple(entry for entry in entries if base.installed.get(entry["name"]) != _version(entry))
    return Lock(base, lacking, dict(sorted(packages.items())), tuple(said.get("warnings", ())))


def layers(lock: Lock, previous: Layers, kept: Packages) -> Layers:
    """The names of the packages to install, lowest layer first.

    ``previous`` are the layers of the image before and ``kept`` its packages: as far up as nothing in them
    changed they stay as they are, so that what they hold is neither installed nor sent again.
    """
    wanted = {entry["name"]: _version(entry) for entry in lock.entries}
    stay: list[tuple[str, ...]] = []
    for layer in previous:
        if any(name not in wanted or kept.get(name) != wanted[name] for name in layer):
            break
        stay.append(layer)
    there = {name for layer in stay for name in layer}
    fresh = _by_size([entry for entry in lock.entries if entry["name"] not in there])
    if len(stay) + len(fresh) > MOST_LAYERS:
        return _by_size(lock.entries)
    return tuple(stay) + fresh


def parts(lock: Lock, layer: Sequence[str]) -> Layers:
    """A layer's packages in parts, smallest packages first: one is compiled while the next one is fetched."""
    found: list[list[str]] = [[]]
    filled = 0
    for entry in sorted((entry for entry in lock.entries if entry["name"] in layer), key=_size):
        if filled >= PART:
            found.append([])
            filled = 0
        found[-1].append(entry["name"])
        filled += _size(entry)
    return tuple(tuple(names) for names in found)


def pylock(lock: Lock, names: Sequence[str]) -> str:
    """The pylock.toml of some of a lock's packages."""
    entries = [entry for entry in lock.entries if entry["name"] in names]
    lines = ['lock-version = "1.0"', 'created-by = "myjupyter.fleet"']
    for entry in entries:
        lines += ["", "[[packages]]", *(f"{key} = {_toml(value)}" for key, value in sorted(entry.items()))]
    return "\n".join(lines) + "\n"


def difference(before: Packages, after: Packages) -> dict[str, list[str]]:
    """What was added, removed and changed, each a readable line."""
    return {
        "added": [f"{name}=={after[name]}" for name in sorted(set(after) - set(before))],
        "removed": [f"{name}=={before[name]}" for name in sorted(set(before) - set(after))],
        "changed": [
            f"{name}: {before[name]} -> {after[name]}"
            for name in sorted(set(before) & set(after))
            if before[name] != after[name]
        ],
    }


def _by_size(entries: Sequence[dict[str, Any]]) -> Layers:
    tiers: list[list[str]] = [[] for _tier in TIERS]
    for entry in entries:
        tiers[next(index for index, least in enumerate(TIERS) if _size(entry) >= least)].append(entry["name"])
    return tuple(tuple(sorted(tier)) for tier in tiers if tier)


def _size(entry: Mapping[str, Any]) -> int:
    files = [*entry.get("wheels", []), *([entry["archive"]] if "archive" in entry else [])]
    return max((file.get("size") or 0 for file in files), default=0)


def _version(entry: Mapping[str, Any]) -> str:
    """The version, or for what has none before it is built where it comes from."""
    if entry.get("version"):
        return str(entry["version"])
    source = entry.get("vcs") or entry.get("archive") or {}
    return masked(str(source.get("commit-id") or source.get("url") or ""))


def _verified(entry: dict[str, Any], wanted: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The entry with only the files whose digests were asked for, where digests were."""
    digests = wanted.get(entry["name"])
    if not digests or _digests(entry.get("archive") or {}) & set(digests):
        return entry
    fits = [file for file in entry.get("wheels", []) if _digests(file) & set(digests)]
    sdist = entry.get("sdist") if _digests(entry.get("sdist") or {}) & set(digests) else None
    if not fits and not sdist:
        raise BuildError(
            f"requirements: no file of {entry['name']} {_version(entry)} has one of the hashes that are given for it: "
            "write the hash of a file that fits the base's Python and platform."
        )
    rest = {key: value for key, value in entry.items() if key not in ("wheels", "sdist")}
    return {**rest, **({"wheels": fits} if fits else {}), **({"sdist": sdist} if sdist else {})}


def _digests(file: Mapping[str, Any]) -> set[str]:
    return {f"{kind}:{digest}" for kind, digest in (file.get("hashes") or {}).items()}


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in sorted(value.items())) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)
