"""What a run of site.yml with nothing to change costs the controller: its curve over the number of hosts.

    python -m tests.bench.controller [--hosts 1 10 50 100]

The hosts are stubs that answer at once (tests/bench/stub), ten labs each, so that all that is measured is the
controller's. Seconds of processor, children included, and module tasks a host. Exits 1 when a host costs more than
--limit seconds, or when the curve is no straight line.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import ROOT

STUB = Path(__file__).parent / "stub"
STRAIGHT = 1.25  # a host among the most may cost this much more than one among the fewest


def inventory(count: int) -> dict:
    hosts = {f"host{number:03}": {} for number in range(count)}
    variables = {
        "ansible_connection": "stub",
        "ansible_python_interpreter": "/usr/bin/python3",
        "jupyter_image_requirements": ["pandas"],
        "jupyter_image_delivery": "stream",
        "jupyter_labs": [{"name": f"lab{number}"} for number in range(10)],
    }
    return {"all": {"hosts": hosts, "vars": variables}}


def run(path: Path, forks: int) -> tuple[float, float, str]:
    """Seconds of processor and of the clock, and the output."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", path, "--forks", str(forks), "site.yml"],
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_CONNECTION_PLUGINS": str(Path(__file__).parent / "stub"),
            "ANSIBLE_FORCE_COLOR": "0",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    after, spent = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begun
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, spent, done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, nargs="+", default=[1, 10, 50, 100])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--forks", type=int, default=20)
    parser.add_argument("--limit", type=float, default=0.25)
    given = parser.parse_args()
    cost: dict[int, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for _turn in range(given.runs):
            for count in given.hosts:
                path = Path(folder, f"{count}.json")
                path.write_text(json.dumps(inventory(count)))
                processor, clock, said = run(path, given.forks)
                cost.setdefault(count, []).append(processor)
                assert set(re.findall(r"changed=(\d+)", said)) == {"0"}
                print(f"{count:4} hosts: {processor:6.2f} s of processor, {clock:6.2f} s", file=sys.stderr)
    middle = {count: statistics.median(values) for count, values in cost.items()}
    few, most = min(middle), max(middle)
    each = (middle[most] - middle[few]) / (most - few)
    fixed = middle[few] - few * each
    print(f"nothing to change, ten labs a host, medians of {given.runs} runs: seconds of the controller's processor")
    for count, value in middle.items():
        print(f"{count:4} hosts {value:7.2f} s   line {fixed + count * each:7.2f} s")
    print(f"a host costs {each:.3f} s (limit {given.limit}), a run {fixed:.2f} s")
    bent = [count for count, value in middle.items() if value > STRAIGHT * (fixed + count * each)]
    return 1 if each > given.limit or bent else 0


if __name__ == "__main__":
    sys.exit(main())
