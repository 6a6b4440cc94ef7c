# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""daemon.json: what is there, merged with what is declared, and what it takes for dockerd to heed the change."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping
from typing import Any

from .._errors import FleetError

DAEMON_JSON = "/etc/docker/daemon.json"
# What SIGHUP makes dockerd read again; everything else waits for a restart.
RELOADABLE = frozenset(
    {"authorization-plugins", "debug", "default-runtime", "features", "insecure-registries", "labels", "live-restore"}
    | {"max-concurrent-downloads", "max-concurrent-uploads", "max-download-attempts", "registry-mirrors", "runtimes"}
    | {"shutdown-timeout"}
)
# With another of these, an engine does not see the containers that it has: they run on, and nobody can reach them.
HIDING = frozenset({"containerd", "containerd-namespace", "data-root", "exec-root", "graph", "storage-driver"})
HIDING |= {"containerd-snapshotter", "userns-remap"}
# A feature that waits for a restart, among others that do not.
SNAPSHOTTER = "containerd-snapshotter"
# Filled in where neither the file nor the user says anything: labs outlive dockerd, logs do not fill the disk.
ROTATION = {"max-size": "10m", "max-file": "3"}
# Flags with another name there: https://docs.docker.com/reference/cli/dockerd/
KEYS_OF_FLAGS = {
    "default-ulimit": "default-ulimits", "exec-opt": "exec-opts", "host": "hosts", "label": "labels",
    "insecure-registry": "insecure-registries", "log-opt": "log-opts", "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}  # fmt: skip
# What this role itself reads and adds to.
OBJECTS = ("log-opts", "runtimes", "features")
UNREADABLE = "\ufffd"  # stands in a text for what is not UTF-8
OURS = ("live-restore", "log-driver", "log-opts")
ROTATING_DRIVERS = ("json-file", "local")
# As NVIDIA's own tool registers it; an entry that is there stays as it is.
NVIDIA_RUNTIME = {"nvidia": {"path": "nvidia-container-runtime"}}


def parse(text: str | None) -> dict[str, Any]:
    """What daemon.json says now; no file, or an empty one, says nothing. Raises FleetError."""
    text = (text or "").lstrip("\ufeff")
    if not text.strip():
        return {}
    if UNREADABLE in text:
        raise _broken("is not in UTF-8")
    try:
        found = json.loads(text, object_pairs_hook=_each_once)
    except ValueError as error:
        raise _broken(f"is not valid JSON ({error})") from error
    if not isinstance(found, dict):
        raise _broken("holds no JSON object")
    for key in OBJECTS:
        if not isinstance(found.get(key) or {}, dict):
            raise _broken(f"has {key!r}: {json.dumps(found[key])}, where dockerd wants an object")
    return found


def merge(
    found: Mapping[str, Any], declared: Mapping[str, Any], swarm: bool = False, gpus: bool = False,
    flags: Container[str] = (), runs: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """``found`` with everything ``declared``, and with our own defaults where both are silent.

    A declared None takes a key away. ``swarm`` (bool): the engine is part of a swarm, which refuses live-restore.
    ``gpus`` (bool): NVIDIA's runtime is there to be registered. ``flags``: keys that dockerd is given as flags; it
    refuses what it is told twice. ``runs``: the engine is up. Rotation would take a restart, which ends builds and what
    people are attached to: no default of ours does that.
    """
    result = _overlay(found, declared)
    runtimes = declared.get("runtimes", {})
    if gpus and runtimes is not None and "nvidia" not in runtimes:
        result["runtimes"] = {**NVIDIA_RUNTIME, **(result.get("runtimes") or {})}
    if "live-restore" not in declared and not swarm and "live-restore" not in flags:
        result.setdefault("live-restore", True)
    options = result.get("log-opts") or {}
    told = "log-opts" in declared or "log-opts" in flags or "log-driver" in flags
    if not told and not runs and result.get("log-driver", "json-file") in ROTATING_DRIVERS:
        options = {**ROTATION, **options}
    # dockerd takes nothing but strings here, and YAML has numbers.
    result["log-opts"] = {key: _as_text(value) for key, value in options.items()}
    return {key: value for key, value in result.items() if value or key != "log-opts"}


def keys_of(flags: Iterable[str]) -> frozenset[str]:
    """What flags of dockerd are called in daemon.json."""
    return frozenset(KEYS_OF_FLAGS.get(flag, flag) for flag in flags)


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The top-level keys that differ, and the one feature that is no setting but another store."""
    keys = {key for key in {*before, *after} if before.get(key) != after.get(key)}
    if _snapshotter(before) != _snapshotter(after):
        keys |= {SNAPSHOTTER}
    return sorted(keys)


def needs_restart(keys: list[str]) -> list[str]:
    """Those of the changed keys that a reload does not bring about."""
    return [key for key in keys if key not in RELOADABLE]


def as_text(content: Mapping[str, Any]) -> str:
    """The file's text."""
    return json.dumps(content, indent=2) + "\n"


def _broken(flaw: str) -> FleetError:
    return FleetError(f"{DAEMON_JSON} {flaw}: repair it, or move it away; it was left as it is.")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; of a key that is there twice, one value would be lost."""
    keys = [key for key, _value in pairs]
    twice = [key for key in keys if keys.count(key) > 1]
    if twice:
        raise _broken(f"has {twice[0]!r} twice")
    return dict(pairs)


def _snapshotter(content: Mapping[str, Any]) -> bool:
    return bool((content.get("features") or {}).get(SNAPSHOTTER))


def _overlay(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in above.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            inner = result.get(key)
            result[key] = _overlay(inner if isinstance(inner, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
