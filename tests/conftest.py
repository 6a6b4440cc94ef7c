"""What all tests share: the collection, modules run as a host runs them, playbooks, an engine and the base image."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from . import COLLECTIONS, ROOT
from .base import base


class ModuleFailed(Exception):
    """A module ended with failed=true; ``result`` is all that it returned."""

    def __init__(self, result):
        super().__init__(result.get("msg"))
        self.result = result


def run_module(name, /, *, check=False, diff=True, **options):
    """The result of a module's run against the real engine; raises ModuleFailed."""
    arguments = {**options, "_ansible_check_mode": check, "_ansible_diff": diff}
    done = subprocess.run(
        [sys.executable, ROOT / "tests" / "run_module.py", name],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
        check=False,
    )
    assert done.stdout, done.stderr
    result = json.loads(done.stdout)
    if result.get("failed"):
        raise ModuleFailed(result)
    return result


@pytest.fixture(name="run_module", scope="session")
def run_module_fixture():
    return run_module


@pytest.fixture(scope="session")
def engine():
    import docker

    return docker.APIClient(version="auto")


@pytest.fixture(scope="session")
def playbook():
    """Run ansible-playbook with the checkout's configuration, in the checkout or elsewhere; the finished process."""

    def run(*arguments, check=True, cwd=ROOT, **env):
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), **env},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    return run


@pytest.fixture(name="base", scope="session")
def base_fixture():
    """The name of the base image."""
    return base()


def pytest_itemcollected(item):
    """What one worker takes while the other takes another group; `-n 0` is all in a row."""
    group = "gates" if item.path.stem == "test_gates" else "hosts" if item.get_closest_marker("hosts") else "engine"
    item.add_marker(pytest.mark.xdist_group(group))
