# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab is, and how it is told on the label of its container."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

LAB_LABEL = "fleet.myjupyter.lab"
SPEC_LABEL = "fleet.myjupyter.spec"
ROSTER_LABEL = "fleet.myjupyter.roster"  # of which roster a lab is

EVERYWHERE = ("", "0.0.0.0", "::")  # addresses that stand for all of a host's

# Left out of the label: how to get there, not what is there.
NOT_IN_SPEC = ("state", "token", "token_file", "work_from")


@dataclass(frozen=True)
class Lab:
    """One persistent JupyterLab container.

    Sizes are bytes (0: no limit), ``port`` 0 means that one is still to be chosen, ``gpus`` are UUIDs, or
    ``all`` or a number where they are still to be chosen, ``owner`` is ``UID:GID`` (empty: not yet settled),
    ``rootless`` tells of the engine. ``image_digest`` and ``token_digest`` are empty until looked up.
    """

    name: str
    image: str = "myjupyter"
    state: str = "started"
    port: int = 0
    bind_address: str = "127.0.0.1"
    work_dir: str = ""
    work_from: str = ""
    owner: str = ""
    token: str = field(default="", repr=False)
    token_file: str = ""
    env: dict[str, str] = field(default_factory=dict)
    memory: int = 0
    cpus: float = 0.0
    shm_size: int = 0
    gpus: list[str] = field(default_factory=list)
    gpus_shared: bool = False
    pids_limit: int = 0
    networks: list[str] = field(default_factory=list)
    mounts: list[dict[str, Any]] = field(default_factory=list)
    base_url: str = "/"
    config: dict[str, Any] = field(default_factory=dict)
    restart_policy: str = "unless-stopped"
    labels: dict[str, str] = field(default_factory=dict)
    healthcheck: dict[str, Any] = field(default_factory=dict)
    ephemeral: bool = False
    start_as_root: bool = False
    rootless: bool = False
    image_digest: str = ""
    token_digest: str = ""

    @property
    def ids(self) -> tuple[int, int]:
        """(UID, GID) of the work directory and of the lab's processes."""
        uid, gid = self.owner.split(":")
        return int(uid), int(gid)

    @property
    def roster(self) -> str:
        """The roster that the lab is of; empty for one that is declared by itself."""
        return self.labels.get(ROSTER_LABEL, "")

    @property
    def goes(self) -> bool:
        """Whether nothing but its work is to be left of it; an ephemeral one that stops is gone."""
        return self.state == "absent" or (self.ephemeral and self.state == "stopped")

    @property
    def scheme(self) -> str:
        """https where the server makes or has a certificate of its own, else http."""
        server = self.config.get("ServerApp")
        own = isinstance(server, Mapping) and server.get("certfile")
        return "https" if own or "GEN_CERT" in self.env else "http"


def same_port(one: Lab, other: Lab) -> bool:
    """Whether two labs would listen at the same place; a port that is still to be chosen is nobody's."""
    return one.port == other.port != 0 and same_address(one.bind_address, other.bind_address)


def same_address(one: str, other: str) -> bool:
    return one == other or one in EVERYWHERE or other in EVERYWHERE


def plain_path(path: str) -> str:
    """An absolute path as short as it can be written."""
    return posixpath.normpath("/" + path.lstrip("/"))


def is_in(path: str, folder: str) -> bool:
    """Whether a path is a directory, or inside of it."""
    return path == folder or path.startswith(f"{folder}/")


def same_place(one: str, other: str) -> bool:
    """Whether two directories are one, or one is inside the other; '' is none."""
    return bool(one and other) and (is_in(one, other) or is_in(other, one))


def name_and_tag(image: str) -> tuple[str, str]:
    """An image's name without its tag, and that tag: `latest` where none is given, none for one named by its digest."""
    name, colon, tag = image.rpartition(":")
    if "@" in image:
        return image, ""
    return (name, tag) if colon and "/" not in tag else (image, "latest")


def spec_of(lab: Lab) -> dict[str, Any]:
    """All that makes a lab what it is, as plain JSON values."""
    return {key: value for key, value in asdict(lab).items() if key not in NOT_IN_SPEC}


def to_label(lab: Lab) -> str:
    return json.dumps(spec_of(lab), sort_keys=True, separators=(",", ":"))


def to_note(lab: Lab) -> str:
    """The same with the state that was declared, which a label, made once, cannot tell."""
    return json.dumps({**spec_of(lab), "state": lab.state}, sort_keys=True, separators=(",", ":"))


def from_label(text: str) -> Lab:
    """The lab that a label or a note tells of; fields that this version does not know are passed over."""
    known = {item.name for item in fields(Lab)}
    return Lab(**{key: value for key, value in json.loads(text).items() if key in known})


def digest(value: str) -> str:
    """SHA-256, shortened to 16 hexadecimal digits: enough to tell two values apart, too little to undo."""
    return hashlib.sha256(value.encode()).hexdigest()[:16]
