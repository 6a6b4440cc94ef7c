"""A rootless engine, somebody's own, is used as it is: labs are that user's, and so is their work."""

from __future__ import annotations

import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests import ROOT
from tests.base import BASE
from tests.integration.conftest import Server

SCRIPT = "/usr/share/docker.io/contrib/dockerd-rootless.sh"
PATIENCE = 60  # seconds


@pytest.fixture(scope="module")
def tun():
    """The device that a user's network needs, as udev leaves it: a machine without udev keeps it from users."""
    device = Path("/dev/net/tun")
    mode = device.stat().st_mode
    device.chmod(0o666)
    yield
    device.chmod(mode)


@pytest.fixture(scope="module")
def user(base, tun):
    """A user of this machine with an engine of her own, and the base in it."""
    name = f"t{secrets.token_hex(4)}"
    # Short, because the path of a socket has to be, and where another user may come in.
    home = Path(tempfile.mkdtemp(prefix="r", dir="/var/tmp")) / "home"
    home.parent.chmod(0o755)
    subprocess.run(["useradd", "--create-home", "--home-dir", home, name], check=True)
    engine = subprocess.Popen(
        ["setpriv", f"--reuid={name}", f"--regid={name}", "--init-groups", "sh", SCRIPT],
        env={"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=(home.parent / "dockerd.log").open("w"),
        start_new_session=True,
    )
    socket = home / "docker.sock"
    try:
        until = time.monotonic() + PATIENCE
        while subprocess.run(["docker", "-H", f"unix://{socket}", "info"], capture_output=True, check=False).returncode:
            assert time.monotonic() < until, (home.parent / "dockerd.log").read_text()[-2000:]
            time.sleep(0.5)
        subprocess.run(f"docker save {BASE} | docker -H unix://{socket} load", shell=True, check=True)
        yield name, home, f"unix://{socket}"
    finally:
        os.killpg(engine.pid, signal.SIGTERM)
        engine.wait(PATIENCE)
        _remove(name, home)


def _remove(name, home):
    """What belongs to a user's subordinate numbers only root can remove."""
    shutil.rmtree(home.parent, ignore_errors=True)
    subprocess.run(["userdel", "--force", name], check=False, capture_output=True)


def run_as(user, name, **options):
    login, home, address = user
    done = subprocess.run(
        [
            "setpriv",
            f"--reuid={login}",
            f"--regid={login}",
            "--init-groups",
            sys.executable,
            "tests/run_module.py",
            name,
        ],
        cwd=ROOT,
        input=json.dumps({"docker_host": address, **options}),
        env={"HOME": str(home), "PYTHONPATH": ".collections", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def labs(user, home, **lab):
    wanted = {"name": "own", "image": BASE, **lab}
    return run_as(user, "labs", labs=[wanted], work_root=str(home / "work"), first_port=41000)


def test_a_lab_of_ones_own(user):
    login, home, _address = user
    try:
        if not os.access(ROOT, os.X_OK) or any(not folder.stat().st_mode & 0o001 for folder in Path(ROOT).parents):
            pytest.skip("another user than root cannot reach this checkout")
        made = labs(user, home)
        assert [step["action"] for step in made["steps"]] == ["make work directory", "create", "start"], made
        server = Server(f"http://127.0.0.1:{made['labs'][0]['port']}", token(home))
        server.ask("api/contents/mine.txt", "PUT", {"type": "file", "format": "text", "content": "work"})
        mine = home / "work" / "own" / "mine.txt"
        assert (mine.read_text(), mine.stat().st_uid) == ("work", pwd.getpwnam(login).pw_uid)
        assert server.execute(server.start_kernel(), "print(6 * 7)") == "42\n"
        assert not labs(user, home)["changed"]
        assert run_as(user, "labs_info")["labs"][0]["healthy"]
        assert "rootless" in labs(user, home, owner="1000:100")["msg"]
    finally:
        labs(user, home, state="absent")
    assert mine.read_text() == "work"


def token(home):
    return (home / ".local/share/myjupyter/labs/own/token").read_text()
