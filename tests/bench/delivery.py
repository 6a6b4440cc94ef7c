"""One package more, brought to a host: by layers, beside `docker save | ssh | docker load` of the whole image.

    python -m tests.bench.delivery [--package humanize]

A builder and a host of each kind. The image is built, and the host has the one before it. Timed from start to end, in
turn, as often as --rounds says: `ansible-playbook` with the role on that host, which asks the builder for the image,
takes out the layer, brings it and looks whether the layers are the same; and `ssh docker save | ssh docker load`. Then
the role again with nothing to bring. Bytes are from the host's own counter, beside the compressed size of the layer.
Exits 1 when a target is missed.
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

import yaml

from tests import ROOT
from tests.base import base

HOSTS = [sys.executable, ROOT / "tests" / "hosts" / "hosts.py"]
PACKAGES = ["pandas", "scikit-learn", "matplotlib"]
TIMES, SHARE = 10, 1.05  # how much faster, and the bytes of the changed layers that may come
KINDS = {"builder": "debian12", "engine2010": "debian12", "engine261": "debian13"}


class Fleet:
    """The hosts, and playbooks on them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inventory = folder, folder / "hosts" / "inventory.yml"
        said = yaml.safe_load(self.inventory.read_text())["all"]
        self.user, self.key = said["vars"]["ansible_user"], said["vars"]["ansible_ssh_private_key_file"]
        self.known = said["vars"]["ansible_ssh_common_args"].split()
        self.addresses = {name: host["ansible_host"] for name, host in said["hosts"].items()}

    def play(self, name: str, limit: str, **variables: object) -> float:
        play = [{"hosts": "all", "become": True, "gather_facts": False, "roles": [f"myjupyter.fleet.{name}"]}]
        path = self.folder / "play.json"
        path.write_text(json.dumps(play))
        command = [Path(sys.executable).parent / "ansible-playbook", "-i", self.inventory, path, "--limit", limit]
        begun = time.perf_counter()
        done = subprocess.run([*command, "-e", json.dumps(variables)], cwd=ROOT, capture_output=True, text=True,
                              env={**os.environ, "ANSIBLE_PIPELINING": "true"}, check=False)  # fmt: skip
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        return time.perf_counter() - begun

    def ssh(self, name: str, command: str) -> str:
        return f"ssh {' '.join(self.known)} -i {self.key} {self.user}@{self.addresses[name]} {command}"

    def ask(self, name: str, command: str) -> str:
        return subprocess.run(
            self.ssh(name, f"'{command}'"), shell=True, capture_output=True, text=True, check=True
        ).stdout.strip()

    def received(self, name: str) -> int:
        return int(self.ask(name, "cat /sys/class/net/eth0/statistics/rx_bytes"))

    def whole(self, name: str) -> float:
        """Seconds of the way that needs nothing but ssh."""
        begun = time.perf_counter()
        command = f"{self.ssh('builder', 'sudo docker save myjupyter')} | {self.ssh(name, 'sudo docker load')}"
        subprocess.run(command, shell=True, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - begun


def brought(fleet: Fleet, host: str, image: dict[str, object]) -> tuple[float, int]:
    """Seconds of the role on one host, and bytes that the host received."""
    fleet.received(host)  # a connection costs bytes too: between two of them it is one's
    before, after = fleet.received(host), fleet.received(host)
    seconds = fleet.play("jupyter_image", host, **image)
    return seconds, fleet.received(host) - after - (after - before)


def forget(fleet: Fleet, host: str) -> None:
    """Take the newest image away; the one before it stays."""
    fleet.ask(host, "sudo docker rmi -f $(sudo docker images -q myjupyter | head -1)")


def measure(fleet: Fleet, package: str, rounds: int) -> bool:
    """Whether all that is wanted was reached."""
    image: dict[str, object] = {"jupyter_image_delivery": "stream", "jupyter_image_builder": "builder"}
    first = {**image, "jupyter_image_requirements": PACKAGES}
    second = {**image, "jupyter_image_requirements": [*PACKAGES, package]}
    cache = Path("~/.cache/myjupyter/parcels/builder/myjupyter").expanduser()
    targets = [name for name in KINDS if name != "builder"]
    for host in targets:
        fleet.play("jupyter_image", host, **first)
    fleet.play("jupyter_image", "builder", **second)
    layers = 'sudo docker inspect -f "{{json .RootFS.Layers}}" myjupyter'
    before = {path.name for path in cache.iterdir()}
    reached = True
    for host in targets:
        times, received, changed = [], 0, 0
        for _round in range(rounds):
            # Nothing of this layer is on the controller either: it is taken out each time.
            for path in cache.iterdir():
                if path.name not in before:
                    path.unlink()
            seconds, received = brought(fleet, host, second)
            same = fleet.ask(host, layers) == fleet.ask("builder", layers)
            # Beside the layers it is the image's configuration that comes.
            changed = sum(path.stat().st_size for path in cache.iterdir() if not _is_text(path, before))
            none, again = brought(fleet, host, second)
            forget(fleet, host)
            whole = fleet.whole(host)
            forget(fleet, host)
            times.append((seconds, whole, none))
            print(f"{host}: brought in {seconds:.2f} s, save and load {whole:.1f} s: {whole / seconds:.1f} times; "
                  f"nothing to bring: {none:.2f} s, {again:,} bytes; same layers: {same}")  # fmt: skip
        faster = statistics.median(whole / seconds for seconds, whole, _none in times)
        reached = reached and faster >= TIMES and received <= SHARE * changed
        print(f"{host}: {faster:.1f} times in the middle; received {received:,} bytes for {changed:,} of layers: "
              f"{received / changed:.2f} times")  # fmt: skip
    return reached


def _is_text(path: Path, before: set[str]) -> bool:
    """Whether a file of the cache is old, or a configuration and no layer."""
    return path.name in before or path.read_bytes()[:1] == b"{"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", default="humanize")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run(
            [*HOSTS, "up", folder / "hosts", *(f"{host}={kind}" for host, kind in KINDS.items())], check=True
        )
        try:
            subprocess.run(["docker", "save", "-o", folder / "hosts/shared/base.tar", base()], check=True)
            fleet = Fleet(folder)
            fleet.play("docker_engine", "all")
            archive = {"jupyter_base_archive": "/shared/base.tar", "jupyter_base_archive_on_host": True}
            fleet.play("jupyter_base", "builder", jupyter_base_source="archive", **archive)
            reached = measure(fleet, given.package, given.rounds)
        finally:
            subprocess.run([*HOSTS, "down", folder / "hosts"], check=True)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
