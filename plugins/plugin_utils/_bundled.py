# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which image a host of the inventory is to have, told by its variables: the same on both sides of a closed door."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

# What decides what is in an image. Where it is built, and by which indexes, does not.
DECIDING = (
    *(f"jupyter_base_{name}" for name in ("name", "registry_image", "release", "jupyterlab_version", "packages")),
    *(
        f"jupyter_image_{name}"
        for name in ("name", "state", "base", "requirements", "constraints", "packages", "files")
    ),
    *(f"jupyter_image_{name}" for name in ("environment", "post_build", "build_args", "platform", "labels", "path")),
)

# What hosts have to say alike that get their image from one builder, where they say it.
SHARED = ("delivery", "builder", "name", "state", "base", "requirements", "constraints", "packages", "path")


def images(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The images that hosts are to have, each once, by a digest of what it is declared as."""
    found: dict[str, dict[str, Any]] = {}
    for host in hosts:
        declared = _declared(hostvars[host])
        key = _digest(declared)
        name = hostvars[host].get("jupyter_image_name") or "myjupyter"
        found.setdefault(key, {"name": str(name), "hosts": [], "declared": declared})["hosts"].append(host)
    return found


def mixture(hosts: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]]) -> str:
    """The sentence that says which hosts cannot get one image from one builder; empty where all can."""
    first: tuple[str, dict[str, str]] | None = None
    for host in hosts:
        try:
            values = {name: hostvars[host].get(f"jupyter_image_{name}") for name in SHARED}
            said = {name: _digest(value) for name, value in values.items() if value}
        except Exception:  # a variable that cannot be read is told by the task that needs it
            continue
        if host == hostvars[host].get("jupyter_image_builder"):
            said.pop("delivery", None)  # it has what it builds
        differing = [name for name in said if first and said[name] != first[1].get(name, said[name])]
        if first and differing:
            options = ", ".join(f"jupyter_image_{name}" for name in differing)
            return (
                f"jupyter_image: {first[0]} and {host} differ in {options}, and one image goes to all hosts of a run: "
                "run each kind of hosts by itself, with --limit or in a play of its own."
            )
        first = first or (host, said)
    return ""


def refusal(manifest: Mapping[str, Any], host: str, hostvars: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """The sentence that says why a bundle does not serve a host; empty where it does."""
    machine, release = facts.get("ansible_architecture"), facts.get("ansible_distribution_release")
    if machine != manifest["machine"]:
        return f"bundle: it is for {manifest['machine']}, and {host} is {machine}: make one on a machine of that kind."
    if manifest["releases"] and release not in manifest["releases"]:
        return (
            f"bundle: it has packages for {', '.join(manifest['releases'])}, and {host} runs "
            f"{facts.get('ansible_distribution')} {release}: make it again with bundle_releases that name {release}."
        )
    wanted = _declared(hostvars[host])
    if _digest(wanted) in manifest["images"]:
        return ""
    bundled = [image["declared"] for image in manifest["images"].values()]
    near: Mapping[str, str] = min(bundled, key=lambda said: len(_differing(wanted, said)), default={})
    return (
        f"bundle: {', '.join(_differing(wanted, near))} of {host} is not what the bundle was made with: "
        "make it again with this inventory, or use the one that it was made with."
    )


def _declared(variables: Mapping[str, Any]) -> dict[str, str]:
    """Digests of what is said of an image, by variable. The values may be long, or not for everyone's eyes."""
    said = {name: variables.get(name) for name in DECIDING}
    return {name: _digest(value) for name, value in said.items() if value or value is False}


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]
