# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle: one directory with all that a closed site needs. What is asked of one, what it says of itself."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._errors import FleetError, InvalidInput
from ..base._base import RELEASES
from ..dockerd import _packages

FORMAT = 1
SUMS, MANIFEST, README = "SHA256SUMS", "MANIFEST.json", "README.md"
CONTENTS = "contents.json"  # of the folder of an image: what images its files make
# What a bundle is made of; everything else in its directory is somebody's own.
PARTS = ("collection", "images", "packages", "wheels")
# The names in each part, and in the folders below it, that a bundle makes. Others are somebody's own too.
NAMES = {
    "collection": r"myjupyter-fleet-.+\.tar\.gz", "images": "[0-9a-f]{12}", "packages": "|".join(RELEASES),
    "wheels": r".+\.whl|requirements\.txt",
}  # fmt: skip
NAMES_BELOW = {"images": r"sha256-.+|contents\.json", "packages": r".+\.deb|Packages|partial|lock"}
# What a host needs besides an engine: the SDK, what Ansible's own module for APT needs, and what a controller needs.
BESIDE = (_packages.SDK, "python3-apt", "python3-venv")


@dataclass(frozen=True)
class Wanted:
    """What a bundle is to hold. ``images`` as the filter bundle_images tells them; ``version`` of the engine.

    ``collection`` is the directory that this collection is in, ``requirements`` the text of pip's file for Ansible.
    """

    path: str
    releases: tuple[str, ...]
    images: Mapping[str, Mapping[str, Any]]
    version: str
    packages: tuple[str, ...]
    recommends: bool
    collection: str
    requirements: str


def parse(options: Mapping[str, Any]) -> Wanted:
    """The module's options, checked. Raises InvalidInput."""
    for release in options["releases"]:
        if release not in RELEASES:
            raise InvalidInput("releases", release, f"cannot be bundled: packages are taken for {', '.join(RELEASES)}.")
    for package in options["packages"]:
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", package):
            raise InvalidInput("packages", package, "cannot be the name of a package of Debian or Ubuntu.")
    if not re.fullmatch(r"[\w.+~:-]*", options["engine_version"]):
        raise InvalidInput("engine_version", options["engine_version"], "is no version: write one such as 20.10.")
    return Wanted(
        path=options["path"],
        releases=tuple(dict.fromkeys(options["releases"])),
        images=options["images"],
        version=options["engine_version"],
        packages=tuple(options["packages"]),
        recommends=options["recommends"],
        collection=options["collection"],
        requirements=options["requirements"],
    )


def is_ours(part: str, name: str) -> bool:
    """Whether a bundle makes something of that name in a part, or in a folder of one."""
    top, _slash, below = part.partition("/")
    return bool(re.fullmatch((NAMES_BELOW if below else NAMES)[top], name))


def names(wanted: Wanted, release: str) -> list[str]:
    """What APT is to resolve for a host of ``release``."""
    on = _packages.Release(release, "debian", RELEASES[release], release)
    engine = _packages.missing(_packages.engine(on, "distribution"), wanted.version, {}, on.family)
    return [*engine, *BESIDE, *wanted.packages]


def manifest(wanted: Wanted, machine: str, collection: str) -> dict[str, Any]:
    """What a bundle says of itself, for programs. No time is in it: the same bundle is the same bytes."""
    return {
        "format": FORMAT,
        "machine": machine,
        "releases": sorted(wanted.releases),
        "collection": collection,
        "images": {key: dict(wanted.images[key]) for key in sorted(wanted.images)},
    }


def as_json(content: Any) -> str:
    return json.dumps(content, indent=2, sort_keys=True) + "\n"


def read_manifest(path: str, text: str) -> dict[str, Any]:
    """A manifest's text. Raises FleetError for one that this release cannot read."""
    try:
        said = json.loads(text)
        known = said["format"] == FORMAT
    except (ValueError, KeyError, TypeError) as error:
        raise FleetError(f"bundle: {path}/{MANIFEST} cannot be read: make the bundle again.") from error
    if not known:
        raise FleetError(
            f"bundle: {path} has the format {said['format']}, and this release reads {FORMAT}: "
            "use the collection that is in it."
        )
    return said


def files_of(contents: str) -> set[str]:
    """The files that the images of one folder are made of."""
    parcels = [item["parcel"] for item in json.loads(contents)]
    digests = {digest for parcel in parcels for digest in (parcel["config"], *parcel["blobs"].values())}
    return {digest.replace(":", "-") for digest in digests}


def sums_text(digests: Mapping[str, str]) -> str:
    """Checksums as `sha256sum --check` reads them."""
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))


def read_sums(path: str, text: str) -> dict[str, str]:
    """The digest of each file. Raises FleetError."""
    rows = [re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line) for line in text.splitlines()]
    digests = {row[2]: row[1] for row in rows if row}
    outside = [name for name in digests if name.startswith("/") or ".." in name.split("/")]
    if len(digests) != len(rows) or MANIFEST not in digests or outside:
        raise FleetError(f"bundle: {path}/{SUMS} is damaged: copy it again, or make the bundle again.")
    return digests


def trouble(path: str, said: Mapping[str, str], found: Mapping[str, str]) -> str:
    """The sentence for a bundle that is not whole; empty for one that is. ``found`` has digests of what is there."""
    missing = sorted(set(said) - set(found))
    damaged = sorted(name for name in said if name in found and found[name] != said[name])
    if not missing and not damaged:
        return ""
    state = "missing" if missing else "damaged"
    more = len(missing) + len(damaged) - 1
    others = f" ({more} more {'file is' if more == 1 else 'files are'} not whole)" if more else ""
    return f"bundle: {path}/{(missing or damaged)[0]} is {state}{others}: copy it again, or make the bundle again."


def readme(said: Mapping[str, Any], files: Mapping[str, int]) -> str:
    """What a bundle says of itself, for people. ``files``: sizes in bytes by name."""
    packages = [f"{release} ({_size(files, f'packages/{release}/')})" for release in said["releases"]]
    images = [
        f"- `images/{key}`: `{image['name']}` for {', '.join(image['hosts'])} ({_size(files, f'images/{key}/')})"
        for key, image in said["images"].items()
    ]
    return TEXT.format(
        machine=said["machine"],
        packages=", ".join(packages) or "none: for hosts that have an engine",
        images="\n".join(images) or "- no images",
        tarball=next((name for name in sorted(files) if name.startswith("collection/")), "collection/"),
        wheels=_size(files, "wheels/"),
        total=_size(files, ""),
        release=(said["releases"] or ["RELEASE"])[0],
    )


def _size(files: Mapping[str, int], prefix: str) -> str:
    return f"{sum(size for name, size in files.items() if name.startswith(prefix)) / 1e6:.0f} MB"


TEXT = """\
# JupyterLabs for a closed site

All that `site.yml` of myjupyter.fleet needs where nothing can be downloaded: {total}, for hosts with {machine}.

- `packages`: Docker, its SDK and all that they depend on, for {packages}
{images}
- `{tarball}`: the collection
- `wheels`: ansible-core for the controller ({wheels})
- `SHA256SUMS`, `MANIFEST.json`: what belongs to this, for programs

## What to do with it

Carry this directory to the machine that reaches the hosts by SSH (the controller), and with it the inventory that it
was made with and the files that the inventory names. There, in this directory:

    sha256sum --quiet --check SHA256SUMS
    python3 -m venv ~/fleet
    ~/fleet/bin/pip install --no-index --find-links wheels -r wheels/requirements.txt
    ~/fleet/bin/ansible-galaxy collection install --offline {tarball}
    ~/fleet/bin/ansible-playbook -i INVENTORY myjupyter.fleet.site -e bundle="$PWD"

The hosts need SSH and Python, and reach nothing but the controller. Run the last line again whenever you like: it
changes only what differs. With a checkout of the project instead of the installed collection:

    PIP_NO_INDEX=1 PIP_FIND_LINKS="$PWD/wheels" CHECKOUT/up -i INVENTORY -e bundle="$PWD"

A controller whose Python lacks `venv` has it from here:

    echo "deb [trusted=yes] file:$PWD/packages/{release} ./" | sudo tee /etc/apt/sources.list.d/bundle.list
    sudo apt-get update && sudo apt-get install python3-venv
    sudo rm /etc/apt/sources.list.d/bundle.list
"""
