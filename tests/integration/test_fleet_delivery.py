"""The role jupyter_image on two hosts, Engine 20.10 that builds and 26.1 that receives: each way ends with the same
layers. The hosts live as long as this file's tests, which go on from each other."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import ROOT

sys.path.insert(0, str(ROOT / "tests" / "hosts"))

import hosts  # noqa: E402

pytestmark = pytest.mark.hosts

BUILDER, OTHER = "builder", "other"
PARTS = "/home/admin/.cache/myjupyter/layers/other"
LAYERS = "docker image inspect -f '{{json .RootFS.Layers}}' myjupyter"
IMAGES = "docker images -q myjupyter"
STREAM = {"delivery": "stream", "builder": BUILDER}
CONTAINERD = {"live-restore": True, "features": {"containerd-snapshotter": True}}
FORGET = "docker rmi -f $(docker images -aq) > /dev/null; docker images -aq"


class Fleet:
    """The hosts, roles run on them, and a root shell on each."""

    def __init__(self, directory, playbook):
        self.directory, self._playbook = directory, playbook
        self.env = {"HOME": str(directory / "home"), "ANSIBLE_PIPELINING": "true"}

    def arguments(self, role, where, variables, *flags):
        play = {"hosts": where, "gather_facts": False, "become": True, "roles": [f"myjupyter.fleet.{role}"]}
        path = self.directory / f"{role}.json"
        path.write_text(json.dumps([play]))
        extra = json.dumps({f"{role}_{name}": value for name, value in variables.items()})
        return ["-i", self.directory / "inventory.yml", path, "-e", extra, *flags]

    def run(self, role, *flags, where="all", ok=True, **variables):
        """What Ansible printed."""
        done = self._playbook(*self.arguments(role, where, variables, *flags), check=ok, **self.env)
        return Output(done.stdout + done.stderr)

    def image(self, *flags, **variables):
        return self.run("jupyter_image", *flags, **variables)

    def on(self, name, command, ok=True):
        """What a command prints on a host, as root."""
        fleet = (self.directory / "fleet").read_text()
        shell = ["docker", "exec", f"{fleet}-{name}", "sh", "-c", command]
        done = subprocess.run(shell, capture_output=True, text=True, check=False)
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def received(self):
        """Bytes that the other host has got so far."""
        return int(self.on(OTHER, "cat /sys/class/net/eth0/statistics/rx_bytes"))

    def alike(self):
        assert self.on(BUILDER, LAYERS) == self.on(OTHER, LAYERS)


class Output(str):
    """What ansible-playbook printed."""

    def changed(self, *names):
        return [int(re.search(rf"^{name} .*\bchanged=(\d+)", self, re.M)[1]) for name in names or (BUILDER, OTHER)]

    @property
    def flat(self):
        return " ".join(self.split())


@pytest.fixture(scope="module")
def fleet(engine, base, playbook, tmp_path_factory):
    """Two hosts with engines; the builder has the base."""
    directory = tmp_path_factory.mktemp("d")
    try:
        hosts.up(directory, [hosts.Host.parse("builder=debian12"), hosts.Host.parse("other=debian13")])
        with (directory / "shared/base.tar").open("wb") as file:
            file.writelines(engine.get_image(base))
        fleet = Fleet(directory, playbook)
        (directory / "home").mkdir()
        fleet.run("docker_engine")
        archive = {"source": "archive", "archive": "/shared/base.tar", "archive_on_host": True}
        fleet.run("jupyter_base", where=BUILDER, **archive)
        yield fleet
    finally:
        hosts.down(directory)


def test_a_delivery_cut_in_the_middle_leaves_no_image_and_is_taken_up_again(fleet):
    wanted = {**STREAM, "requirements": ["tabulate"]}
    command = [Path(sys.executable).parent / "ansible-playbook", *fleet.arguments("jupyter_image", "all", wanted)]
    run = subprocess.Popen(
        list(map(str, command)), cwd=ROOT, env={**os.environ, **fleet.env}, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        end = time.monotonic() + 300
        # The second file is on its way: the first is there.
        there = f"set -- {PARTS}/*.part; test -e $1 && ls {PARTS} | grep -qv part && echo yes"
        while run.poll() is None and time.monotonic() < end and fleet.on(OTHER, there, ok=False) != "yes":
            time.sleep(0.02)
        assert run.poll() is None, "it was over before it could be cut"
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    fleet.on(OTHER, "pkill -9 -u admin; true")  # the connection
    whole = sum(map(int, fleet.on(OTHER, f"cd {PARTS} && stat -c %s $(ls | grep -v part)").split()))
    assert whole and fleet.on(OTHER, IMAGES) == ""

    before = fleet.received()
    assert fleet.image(**wanted).changed() == [0, 1], "what was given out is not given out again"
    fleet.alike()
    parcels = fleet.directory / "home/.cache/myjupyter/parcels/builder/myjupyter"
    total = sum(path.stat().st_size for path in parcels.iterdir())
    assert fleet.received() - before < 1.05 * (total - whole), "what had come whole is not sent again"
    assert fleet.on(OTHER, f"ls {PARTS}", ok=False) == "", "what was brought is loaded, and gone"
    assert fleet.image(**wanted).changed() == [0, 0]
    assert fleet.image("--check", **wanted).changed() == [0, 0]


def test_one_package_more_is_its_layer(fleet):
    wanted = {**STREAM, "requirements": ["tabulate", "humanize"]}
    assert fleet.image(where=BUILDER, **wanted).changed(BUILDER) == [1]
    assert fleet.image("--check", **wanted).changed() == [0, 2], "to be given out for it, and to be brought"
    before = fleet.received()
    assert fleet.image(**wanted).changed() == [0, 2]
    assert fleet.received() - before < 140_000, "0.1 MB of layer"
    fleet.alike()
    assert fleet.on(OTHER, f"test -e {PARTS} && echo there", ok=False) == "", "so small a layer needs no file"


def test_where_layers_cannot_be_given_out_the_whole_image_is_brought(fleet):
    listen = "import socket, time; s = socket.create_server(('127.88.88.88', 8888)); time.sleep(600)"
    fleet.on(BUILDER, f'python3 -c "{listen}" > /dev/null 2>&1 & echo $! > /tmp/listener; sleep 1')
    fleet.on(OTHER, FORGET)
    shutil.rmtree(fleet.directory / "home/.cache/myjupyter/parcels")  # else its layers would be brought
    wanted = {**STREAM, "requirements": ["tabulate", "humanize"]}
    try:
        said = fleet.image(**wanted)
    finally:
        fleet.on(BUILDER, "kill $(cat /tmp/listener)")
    assert said.changed() == [0, 2] and "So the whole image is brought." in said.flat
    fleet.alike()
    assert fleet.image(**wanted).changed() == [0, 0]


def test_a_registry_is_set_up_once(fleet):
    foretold = fleet.run("jupyter_registry", "--check", where=OTHER)
    assert foretold.changed(OTHER) == [1] and fleet.on(OTHER, "ls /etc/myjupyter", ok=False) == ""
    done = fleet.run("jupyter_registry", "-vvv", "--diff", where=OTHER)
    secret = fleet.on(OTHER, "cat /etc/myjupyter/registry/password")
    assert len(secret) > 20 and secret not in done
    for check in ([], ["--check"]):
        assert fleet.run("jupyter_registry", *check, where=OTHER).changed(OTHER) == [0]
    modes = fleet.on(OTHER, "stat -c '%a %U %G %n' /etc/myjupyter/registry/*")
    assert "600 root root /etc/myjupyter/registry/password" in modes
    assert "600 root root /etc/myjupyter/registry/ca.key" in modes
    assert "640 root docker-registry /etc/myjupyter/registry/tls.key" in modes


def test_a_registry_serves_the_others(fleet):
    wanted = {"delivery": "registry", "builder": BUILDER, "registry_host": OTHER, "requirements": ["tabulate", "toolz"]}
    done = fleet.image("-vvv", **wanted)
    assert done.changed() == [2, 1], "built and pushed; pulled"
    secret = fleet.on(OTHER, "cat /etc/myjupyter/registry/password")
    assert secret not in done
    fleet.alike()
    assert fleet.on(OTHER, "docker inspect -f '{{.RepoDigests}}' myjupyter") == "[]"
    assert fleet.on(BUILDER, "ls /root/.docker/config.json", ok=False) == "", "nobody stays logged in"
    for check in ([], ["--check"]):
        assert fleet.image(*check, **wanted).changed() == [0, 0]


def test_a_registry_of_the_users_serves_as_well(fleet):
    address = json.loads(fleet.on(OTHER, "cat /etc/myjupyter/registry/access.json"))["registry"]
    login = {"registry_username": "fleet", "registry_password": fleet.on(OTHER, "cat /etc/myjupyter/registry/password")}
    own = {"registry": f"{address}/labs", "registry_ca": fleet.on(OTHER, "cat /etc/myjupyter/registry/ca.crt"), **login}
    fleet.on(OTHER, "rm -r /etc/docker/certs.d; docker rmi -f myjupyter; true")
    wanted = {"delivery": "registry", "builder": BUILDER, "requirements": ["tabulate", "toolz"], **own}
    assert fleet.image(**wanted).changed() == [1, 1], "pushed to another place; pulled"
    fleet.alike()
    assert fleet.image(**wanted).changed() == [0, 0]


def test_a_registry_that_will_not_serve_is_a_sentence(fleet):
    wanted = {"delivery": "registry", "builder": BUILDER, "registry_host": OTHER, "requirements": ["tabulate", "toolz"]}
    said = fleet.image(ok=False, registry_username="fleet", registry_password="wrong", **wanted).flat
    assert "jupyter_image_registry_password to a login that it knows" in said
    said = fleet.image(ok=False, **{**wanted, "registry_host": "", "registry": "No registry"}).flat
    assert "is no registry, such as registry.example.edu:5000/labs" in said


def test_a_certificate_is_made_anew_in_time_and_a_password_when_it_is_changed(fleet):
    before = fleet.on(OTHER, "cat /etc/myjupyter/registry/ca.crt /etc/myjupyter/registry/tls.crt | md5sum")
    assert fleet.run("jupyter_registry", where=OTHER, renew_days=400).changed(OTHER) == [1]
    assert before != fleet.on(OTHER, "cat /etc/myjupyter/registry/ca.crt /etc/myjupyter/registry/tls.crt | md5sum")
    said = fleet.run("jupyter_registry", "-vvv", "--diff", where=OTHER, password="another of ours")
    assert said.changed(OTHER) == [1] and "another of ours" not in said.partition("TASK")[2]
    wanted = {"delivery": "registry", "builder": BUILDER, "registry_host": OTHER, "requirements": ["tabulate", "rich"]}
    assert fleet.image(**wanted).changed() == [2, 1]
    fleet.alike()


def test_each_host_can_pull_and_one_with_other_layers_is_named(fleet):
    address = json.loads(fleet.on(OTHER, "cat /etc/myjupyter/registry/access.json"))["registry"]
    name = f"{address}/myjupyter"
    for host in (BUILDER, OTHER):
        fleet.on(host, f"echo another of ours | docker login -u fleet --password-stdin {address}")
    wanted = {"delivery": "pull", "name": name}
    assert fleet.image(**wanted).changed() == [1, 1]
    for check in ([], ["--check"]):
        assert fleet.image(*check, **wanted).changed() == [0, 0]
    fleet.on(BUILDER, f"docker tag myjupyter-base {name} && docker push -q {name}")
    said = fleet.image(ok=False, **wanted).flat
    assert f"{OTHER} has not the same layers for {name} as the first host: the name has moved" in said
    assert fleet.image(refresh="always", **wanted).changed() == [0, 1]


def test_a_registry_is_never_taken_from_somebody(fleet):
    fleet.on(BUILDER, "mkdir -p /var/lib/docker-registry/docker/registry && apt-get -qq install -y docker-registry")
    said = fleet.run("jupyter_registry", where=BUILDER, ok=False).flat
    assert "docker-registry of somebody's (it holds images in /var/lib/docker-registry), which is left alone" in said


def test_an_engine_that_keeps_images_with_containerd_gets_what_it_lacks(fleet):
    """As Engine 29 does where nobody says otherwise."""
    fleet.on(OTHER, f"echo '{json.dumps(CONTAINERD)}' > /etc/docker/daemon.json && systemctl restart docker")
    wanted = {**STREAM, "requirements": ["tabulate", "humanize"]}
    fleet.image(**wanted)
    fleet.alike()
    for check in ([], ["--check"]):
        assert fleet.image(*check, **wanted).changed() == [0, 0]
    more = {**STREAM, "requirements": ["tabulate", "humanize", "toolz"]}
    fleet.image(where=BUILDER, **more)
    before = fleet.received()
    fleet.image(**more)
    assert fleet.received() - before < 250_000, "the layers of packages, and not those below"
    fleet.alike()


def test_an_engine_that_keeps_images_with_containerd_gives_layers_out(fleet):
    archive = {"source": "archive", "archive": "/shared/base.tar", "archive_on_host": True}
    fleet.run("jupyter_base", where=OTHER, **archive)
    wanted = {"delivery": "stream", "builder": OTHER, "requirements": ["tabulate", "cowsay"]}
    said = fleet.image(**wanted)
    assert "whole image" not in said.flat
    fleet.alike()
    for check in ([], ["--check"]):
        assert fleet.image(*check, **wanted).changed() == [0, 0]
