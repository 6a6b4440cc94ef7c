"""The base image that tests and benchmarks build on, made as a user's run would make it where it is missing."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from . import ROOT

BASE = os.environ.get("MYJUPYTER_TEST_BASE", "myjupyter-base:latest")
PLAY = [{"hosts": "localhost", "gather_facts": False, "roles": [{"role": "myjupyter.fleet.jupyter_base"}]}]


def base() -> str:
    """The image's name. Whoever needs it at the same time waits. Raises RuntimeError: it could not be made."""
    with open(Path(tempfile.gettempdir(), "myjupyter-test-base.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _there():
            _make()
    return BASE


def _there() -> bool:
    return subprocess.run(["docker", "image", "inspect", BASE], capture_output=True, check=False).returncode == 0


def _make() -> None:
    program = Path(sys.executable).parent / "ansible-playbook"
    environ = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as play:
        json.dump(PLAY, play)
        play.flush()
        done = subprocess.run([program, play.name], cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
