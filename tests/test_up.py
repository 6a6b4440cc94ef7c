"""./up on a host that has nothing: as a user with sudo, in a directory with a space, from nothing to a lab."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOSTS = ROOT / "tests/hosts/hosts.py"
CHECKOUT = "my work/fleet"
FIRST_RUN = 180  # seconds, from nothing to an answer
SECOND_RUN = 10


class Bare:
    """A host without Docker, Ansible or pip, and a way to it by ssh."""

    def __init__(self, inventory: Path):
        every = json.loads(inventory.read_text())["all"]
        about, address = every["vars"], every["hosts"]["bare"]["ansible_host"]
        key = about["ansible_ssh_private_key_file"]
        self._ssh = ["ssh", "-i", key, *about["ansible_ssh_common_args"].split(), f"{about['ansible_user']}@{address}"]

    def run(self, command: str, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
        options.setdefault("stdin", subprocess.DEVNULL)
        done = subprocess.run(
            [*self._ssh, command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
        )
        assert not check or done.returncode == 0, done.stdout
        return done

    def up(self, *arguments: str, check: bool = True) -> tuple[str, float]:
        """What ./up said, run from another directory, and how many seconds it took."""
        begun = time.monotonic()
        done = self.run(f"'{CHECKOUT}/up' {' '.join(arguments)}", check=check)
        return done.stdout, time.monotonic() - begun


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    directory = tmp_path_factory.mktemp("bare")
    try:
        wanted = [sys.executable, HOSTS, "up", directory, "bare=debian12"]
        made = subprocess.run(wanted, stdout=subprocess.PIPE, text=True, check=False)
        assert made.returncode == 0
        host = Bare(Path(made.stdout.strip().splitlines()[-1]))
        listed = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", "-co", "--exclude-standard"]
        names = subprocess.run(listed, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.split(b"\0")
        there = b"\0".join(name for name in names if name and (ROOT / name.decode()).exists())
        tar = ["tar", "--create", "--null", "--files-from=-"]
        packed = subprocess.run(tar, cwd=ROOT, input=there, stdout=subprocess.PIPE, check=True).stdout
        (directory / "checkout.tar").write_bytes(packed)
        with (directory / "checkout.tar").open() as archive:
            host.run(f"mkdir -p '{CHECKOUT}' && tar -xC '{CHECKOUT}'", stdin=archive)
        yield host
    finally:
        subprocess.run([sys.executable, HOSTS, "down", directory], check=False)


def test_a_lab_without_requirements_is_refused_in_a_sentence(tmp_path):
    (tmp_path / "up").symlink_to(ROOT / "up")
    done = subprocess.run(["sh", tmp_path / "up"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == f"There is no {tmp_path}/requirements.txt: list the packages of your lab in one.\n"


def address(said: str) -> str:
    """The address to click, as ./up printed it."""
    found = re.findall(r"http://[\w.]+:\d+/lab\?token=\w+", said)
    assert found, said
    return found[-1]


def answer(host: Bare, url: str) -> str:
    """What the server answers to a request that needs the token."""
    base, _lab, token = url.partition("/lab?token=")
    ask = f"import urllib.request as r; print(r.urlopen('{base}/api/status?token={token}').read().decode())"
    return host.run(f'python3 -c "{ask}"').stdout


def changed(said: str) -> list[str]:
    return re.findall(r"changed=(\d+)", said)


def test_a_check_on_a_bare_host_runs_to_its_end_and_touches_nothing(bare):
    said, _seconds = bare.up("--check")
    assert "failed=0" in said
    assert bare.run("command -v dockerd", check=False).returncode != 0
    assert bare.run(f"test -e '{CHECKOUT}/work'", check=False).returncode != 0


def test_from_nothing_to_a_lab(bare):
    bare.run(f"rm -rf '{CHECKOUT}/.venv'")
    said, seconds = bare.up()
    assert "kernels" in answer(bare, address(said))
    assert seconds <= FIRST_RUN, f"{seconds:.0f} s"


def test_a_second_run_changes_nothing_and_is_short(bare):
    said, seconds = bare.up()
    assert set(changed(said)) == {"0"}, said
    assert "Installing" not in said
    assert "kernels" in answer(bare, address(said))
    assert seconds <= SECOND_RUN, f"{seconds:.0f} s"


def test_the_checkout_stays_its_owners(bare):
    assert bare.run(f"find '{CHECKOUT}' ! -user admin").stdout == ""


def test_help_does_nothing(bare):
    said, _seconds = bare.up("--help")
    assert said.startswith("usage: ./up")
