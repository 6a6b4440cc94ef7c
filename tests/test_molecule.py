"""Every Molecule scenario, each a test: roles and playbooks on real hosts, made for it and gone after it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SCENARIOS = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))


@pytest.mark.hosts
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario, base):
    tools = Path(sys.executable).parent
    done = subprocess.run(
        [tools / "molecule", "test", "--scenario-name", scenario],
        cwd=ROOT,  # from anywhere else Molecule finds no configuration, runs on no host and calls that a success
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "ANSIBLE_FORCE_COLOR": "0", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.fail(
            f"molecule test --scenario-name {scenario} ended with {done.returncode}:\n{why(done.stdout)}", False
        )


def why(printed):
    """What Molecule printed, cut down to the action that failed, with the hosts' own words first."""
    actions = re.split(r"^(?=INFO .* Executing$)", printed, flags=re.M)
    failed = next(
        (action for action in actions if re.search(r"Executed: Failed|^(CRITICAL|ERROR) ", action, re.M)), printed
    )
    return "\n".join([*re.findall(r"^(?:fatal|failed|\[ERROR\]|ERROR!).*", failed, re.M), failed])
