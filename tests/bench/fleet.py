"""Real hosts of two kinds, from bare to serving labs in one run of site.yml; then again with nothing to change.

    python -m tests.bench.fleet [--hosts 8] [--labs 2] [--repeat 10]

One host builds, the others get the layers. Exits 1 when a run fails, when a repetition changes anything, or when a
lab does not answer to its token.
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
import urllib.request
from pathlib import Path

from tests import ROOT
from tests.base import base

HOSTS = [sys.executable, ROOT / "tests" / "hosts" / "hosts.py"]
KINDS = ("debian12", "debian13")
TOKEN = "a-token-for-the-benchmark"


def variables(labs: int) -> dict[str, object]:
    return {
        "jupyter_base_archive": "/shared/base.tar",
        "jupyter_image_requirements": ["tabulate"],
        "jupyter_image_delivery": "stream",
        "jupyter_image_builder": "host0",
        "jupyter_labs_defaults": {"bind_address": "0.0.0.0", "token": TOKEN},
        "jupyter_labs": [{"name": f"lab{number}"} for number in range(labs)],
    }


def site(inventory: Path, settings: Path) -> tuple[float, float, str]:
    """Seconds of the clock and of the controller's processor, and what the run said. Exits where it failed."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", inventory, "-e", f"@{settings}", "site.yml"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, processor, done.stdout


def answering(inventory: Path, labs: int) -> int:
    """How many labs answer to their token."""
    hosts = json.loads(inventory.read_text())["all"]["hosts"].values()
    addresses = [f"http://{host['ansible_host']}:{10000 + number}" for host in hosts for number in range(labs)]
    count = 0
    for address in addresses:
        with urllib.request.urlopen(f"{address}/api/status?token={TOKEN}", timeout=20) as answer:
            count += "kernels" in json.load(answer)
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=8)
    parser.add_argument("--labs", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=10)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="f") as name:
        hosts = Path(name, "h")
        wanted = [f"host{number}={KINDS[number * len(KINDS) // given.hosts]}" for number in range(given.hosts)]
        subprocess.run([*HOSTS, "up", hosts, *wanted], check=True)
        try:
            subprocess.run(["docker", "save", "-o", hosts / "shared/base.tar", base()], check=True)
            inventory, settings = hosts / "inventory.yml", Path(name, "settings.json")
            settings.write_text(json.dumps(variables(given.labs)))
            first, _processor, _said = site(inventory, settings)
            total = given.hosts * given.labs
            print(f"{given.hosts} hosts from bare to {answering(inventory, given.labs)} of {total} labs: {first:.0f} s")
            again = [site(inventory, settings) for _run in range(given.repeat)]
            unchanged = sum(set(re.findall(r"changed=(\d+)", said)) == {"0"} for _clock, _processor, said in again)
            still = answering(inventory, given.labs)
        finally:
            subprocess.run([*HOSTS, "down", hosts], check=True)
    clock, processor = (statistics.median(run[part] for run in again) for part in (0, 1))
    print(f"{given.repeat} times again: {unchanged} with nothing changed, none failed, {still} of {total} labs answer")
    print(f"a run: {clock:.1f} s, {processor / given.hosts:.2f} s of the controller's processor a host, ssh included")
    return 0 if unchanged == given.repeat and still == total else 1


if __name__ == "__main__":
    sys.exit(main())
