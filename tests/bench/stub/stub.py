"""Connection plugin: a host that is as declared, without a host. Every module of a run answers what it would there."""

from __future__ import annotations

DOCUMENTATION = """
name: stub
short_description: Answer for hosts that are not there
description: Gives each module of a run the answer that a host with nothing to change gives.
author: The myjupyter.fleet maintainers (@myjupyter)
options: {}
"""

import json
import re
import zlib

from ansible.plugins.connection import ConnectionBase

LAYERS = [f"sha256:{number:064x}" for number in range(8)]
IMAGE = {"id": "sha256:1", "name": "myjupyter:latest", "layers": LAYERS, "recipe": "1", "tags": ["myjupyter:latest"]}
LABS = [{"name": f"lab{number}", "state": "started", "changed": False, "deferred": False, "image": "myjupyter",
         "bind_address": "127.0.0.1", "port": 10000 + number, "url": f"http://127.0.0.1:{10000 + number}/lab",
         "work_dir": f"/srv/myjupyter/lab{number}", "owner": "1000:100"} for number in range(10)]  # fmt: skip
ANSWERS = {
    "engine": {
        "managed": True,
        "decision": "kept",
        "steps": [],
        "missing": {"packages": [], "repository": False, "hold": [], "sdk_venv": False, "users": []},
        "host": {"family": "debian", "upstream": "debian", "codename": "bookworm", "services": "systemd"},
    },
    "base": {"source": "present", "reason": "", "steps": []},
    "image": {"image": IMAGE, "steps": []},
    "labs": {"labs": LABS, "steps": [], "deferred": []},
}

# What couriers reply, which are no modules: that of image_import, and the builder's, which finds no image by a look.
THERE = {"Id": IMAGE["id"], "RepoTags": IMAGE["tags"], "Created": 1, "Size": 1, "Labels": {}, "Layers": LAYERS}
REPLY = {"engine": "", "said": [], "broken": [], "images": [THERE], "used": [], "storage": []}
NOTHING = [None, None, None]


def told(program):
    """What a host prints where a courier's program runs, whose last line is the order."""
    order = program.splitlines()[-1]
    if order.startswith("answers("):
        return NOTHING
    return {"changed": False, "diff": {}, "warnings": [], **ANSWERS["labs"]} if '"call"' in order else REPLY


class Connection(ConnectionBase):
    transport = "stub"
    has_pipelining = True

    def _connect(self):
        return self

    def exec_command(self, cmd, in_data=None, sudoable=True):
        carried = re.search(r"stdin\.buffer\.read\((\d+)\)", cmd)
        if carried:
            return 0, json.dumps(told(zlib.decompress(in_data[: int(carried[1])]).decode())).encode(), b""
        found = re.search(rb"\.plugins\.modules\.(\w+)", in_data or b"")
        if not found:
            return 1, b"", b"only modules are answered, and only with pipelining"
        return 0, json.dumps({"changed": False, **ANSWERS[found[1].decode()]}).encode(), b""

    def put_file(self, in_path, out_path):
        raise NotImplementedError("a stub host keeps no files")

    def fetch_file(self, in_path, out_path):
        raise NotImplementedError("a stub host keeps no files")

    def close(self):
        pass
