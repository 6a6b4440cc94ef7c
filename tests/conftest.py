"""What all tests share: the path to the collection, and modules run as a host runs them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
COLLECTIONS = ROOT / ".collections"
sys.path.insert(0, str(COLLECTIONS))


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


def pytest_itemcollected(item):
    """With two workers, one takes the gates and the other what shares the engine; `-n 0` is all in a row."""
    item.add_marker(pytest.mark.xdist_group("gates" if item.path.stem == "test_gates" else "engine"))
