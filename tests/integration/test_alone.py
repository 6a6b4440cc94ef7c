"""Two runs at once on one host: one waits for the other, or says who it is."""

from __future__ import annotations

import fcntl
import threading
import time

import pytest

from tests.conftest import ModuleFailed


@pytest.fixture
def held(host):
    """The lock of a host's labs, as another run holds it."""
    (host.path / "state").mkdir(exist_ok=True)
    with open(host.path / "state" / "lock", "w") as file:
        file.write("process 1 of ana")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def test_who_is_at_it_is_said(host, held):
    with pytest.raises(ModuleFailed, match=r"are being changed by process 1 of ana .* run again when it has ended"):
        host.labs(host.lab(), wait_timeout=1)
    assert not host.exists()


def test_a_check_waits_for_nobody(host, held):
    assert host.labs(host.lab(), check=True)["changed"]


def test_a_second_run_waits_until_the_first_has_ended(host, held):
    release = threading.Timer(3, lambda: fcntl.flock(held, fcntl.LOCK_UN))
    release.start()
    begun = time.monotonic()
    assert host.labs(host.lab())["changed"]
    assert time.monotonic() - begun > 3


def test_two_runs_never_interleave(host):
    """Both declare the same new lab: one makes it, the other finds it made."""
    results = []
    runs = [threading.Thread(target=lambda: results.append(host.labs(host.lab())["changed"])) for _run in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert sorted(results) == [False, True]


def test_the_lock_tells_nothing_when_nobody_holds_it(host):
    host.labs(host.lab())
    path = host.path / "state" / "lock"
    assert path.read_text() == "" and path.stat().st_mode & 0o777 == 0o600
