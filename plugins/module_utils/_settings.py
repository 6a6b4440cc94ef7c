# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an image's configuration says, whichever engine tells it: newer ones leave out what is empty."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

# What of a base's configuration an image takes over and a container goes by.
SETTINGS = ("Env", "User", "WorkingDir", "Entrypoint", "Cmd", "Shell", "Volumes", "ExposedPorts", "Healthcheck",
            "StopSignal", "OnBuild")  # fmt: skip


def config_of(image: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of an image, from its inspect; empty where it has none."""
    return image.get("Config") or {}


def settings(config: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is set of an image's configuration, as an engine or an archive has it."""
    return {name: config[name] for name in SETTINGS if config.get(name)} if config else {}


def image_digest(image: Mapping[str, Any]) -> str:
    """What an image is, from its inspect: layers and configuration.

    Not its id: an engine with the containerd image store numbers the same image otherwise. Nor all that is told of its
    configuration: newer engines leave out what is empty.
    """
    config = config_of(image)
    said = {**settings(config), "Labels": config.get("Labels") or {}}
    text = json.dumps([image["RootFS"].get("Layers"), said], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
