"""Ten labs of one host and nothing to change, over SSH: one `labs` task beside one ping, and beside a loop of tasks.

    python -m tests.bench.labs [--labs 10] [--runs 7] [--peer ANSIBLE_PLAYBOOK]

--peer is the ansible-playbook of an environment that has community.docker (PyPI's `ansible` brings it): the same
labs are then also checked the usual way, one container task a lab. Playbooks are run in turn; wall times, medians.
Exits 1 when the labs task takes more than --limit times a ping.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests import ROOT
from tests.base import BASE, base

HOSTS = [sys.executable, ROOT / "tests" / "hosts" / "hosts.py"]


def play(*tasks: dict, **keys: object) -> list[dict]:
    return [{"hosts": "all", "become": True, "gather_facts": False, "tasks": list(tasks), **keys}]


def labs_task(count: int) -> dict:
    labs = [{"name": f"lab{number}", "image": BASE} for number in range(count)]
    return {"name": "Labs", "myjupyter.fleet.labs": {"labs": labs}}


def peer_task(count: int) -> dict:
    """A lab as a user of community.docker writes it."""
    container = {
        "name": "peer{{ item }}",
        "image": BASE,
        "published_ports": ["127.0.0.1:{{ 11000 + item }}:8888"],
        "volumes": ["/srv/peer{{ item }}:/home/jovyan/work"],
        "restart_policy": "unless-stopped",
    }
    return {
        "name": "Containers",
        "community.docker.docker_container": container,
        "loop": "{{ range(" + str(count) + ") | list }}",
    }


def run(program: Path | str, inventory: Path, playbook: Path) -> float:
    """Seconds that a playbook takes; its output on standard error when it fails."""
    begun = time.perf_counter()
    done = subprocess.run(
        [program, "-i", inventory, playbook],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_PIPELINING": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - begun


def provide(inventory: Path, directory: Path, playbook_program: Path) -> None:
    """An engine on the host, and the base image, as a file is brought there."""
    archive = directory / "base.tar"
    subprocess.run(["docker", "save", "-o", archive, base()], check=True)
    source = {
        "jupyter_base_source": "archive",
        "jupyter_base_archive": str(archive),
        "jupyter_base_archive_on_host": False,
    }
    roles = [{"role": "myjupyter.fleet.docker_engine"}, {"role": "myjupyter.fleet.jupyter_base", "vars": source}]
    path = directory / "provide.json"
    path.write_text(json.dumps(play(roles=roles)))
    run(playbook_program, inventory, path)


def measure(programs: dict[str, tuple[Path | str, Path]], inventory: Path, runs: int) -> dict[str, list[float]]:
    for program, playbook in programs.values():
        run(program, inventory, playbook)
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _turn in range(runs):
        for name, (program, playbook) in programs.items():
            times[name].append(run(program, inventory, playbook))
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labs", type=int, default=10)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--limit", type=float, default=1.25)
    parser.add_argument("--peer")
    given = parser.parse_args()
    own = Path(sys.executable).parent / "ansible-playbook"
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        hosts = directory / "hosts"
        subprocess.run([*HOSTS, "up", hosts, "bench=debian12"], check=True)
        try:
            inventory = hosts / "inventory.yml"
            provide(inventory, directory, own)
            programs = {"ping": (own, play({"name": "Ping", "ansible.builtin.ping": {}})),
                        "labs": (own, play(labs_task(given.labs)))}  # fmt: skip
            if given.peer:
                programs["loop"] = (given.peer, play(peer_task(given.labs)))
            written = {}
            for key, (program, plays) in programs.items():
                path = directory / f"{key}.json"
                path.write_text(json.dumps(plays))
                written[key] = (program, path)
            times = measure(written, inventory, given.runs)
        finally:
            subprocess.run([*HOSTS, "down", hosts], check=True)
    middle = {key: statistics.median(values) for key, values in times.items()}
    print(f"{given.labs} labs, nothing to change, medians of {given.runs} runs in turn")
    for key, value in middle.items():
        print(f"{key:5} {value:6.2f} s   {value / middle['ping']:5.2f} times a ping")
    return 0 if middle["labs"] <= given.limit * middle["ping"] else 1


if __name__ == "__main__":
    sys.exit(main())
