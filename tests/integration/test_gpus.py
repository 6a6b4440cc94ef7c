"""GPUs on real hosts whose bus, driver and nvidia-smi are stand-ins; engines, containers and labs are real ones.

docs/gpus.md says what this proves, and what not.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import ROOT
from tests.integration.conftest import Server

sys.path.insert(0, str(ROOT / "tests" / "hosts"))

import hosts  # noqa: E402

pytestmark = pytest.mark.hosts
HOSTS = ["one=debian12", "two=debian13"]  # Engine 20.10 and 26.1
A, B, PART, OTHER_PART = "GPU-aaaa", "GPU-bbbb", "MIG-c0c0", "MIG-c1c1"
LIST = f"""GPU 0: NVIDIA L4 (UUID: {A})
GPU 1: NVIDIA L4 (UUID: {B})
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-cccc)
  MIG 3g.20gb     Device  0: (UUID: {PART})
  MIG 3g.20gb     Device  1: (UUID: {OTHER_PART})
"""
USAGE = f"{A}, 37, 1024, 23034\n{B}, 0, 1, 23034\nGPU-cccc, [N/A], 512, 40960\n"
CARD = """
mount -t tmpfs bus /sys/bus/pci/devices
mkdir /sys/bus/pci/devices/0000:01:00.0 && cd /sys/bus/pci/devices/0000:01:00.0
echo 0x10de > vendor && echo 0x030200 > class
"""
DRIVER = """
install -m 755 /shared/nvidia-smi /usr/local/bin
mkdir -p /etc/fake-gpus && cp /shared/list /shared/usage /etc/fake-gpus
"""
ANSWERS = "timeout 20 sh -c 'until docker version >/dev/null 2>&1; do sleep 0.1; done'"
SLEEP = "docker run -d --name other --entrypoint sleep {} myjupyter-base 1000"
PID = "docker inspect -f '{{.State.Pid}}' other"
BUSY = "import time\nfor _second in range(300): time.sleep(1)"


class Fleet:
    """The hosts: a root shell on each, and modules and roles run on them as users do."""

    def __init__(self, directory, playbook):
        self.directory, self._playbook = directory, playbook
        self.inventory = directory / "inventory.yml"

    def address(self, name):
        return json.loads(self.inventory.read_text())["all"]["hosts"][name]["ansible_host"]

    def on(self, name, command):
        """What a command prints on a host, as root."""
        shell = ["docker", "exec", f"{(self.directory / 'fleet').read_text()}-{name}", "sh", "-ec", command]
        done = subprocess.run(shell, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def engine(self, *flags, hosts="all", **variables):
        """Run the role docker_engine; what Ansible printed."""
        play = {"hosts": hosts, "become": True, "gather_facts": False, "roles": ["myjupyter.fleet.docker_engine"]}
        path = self.directory / "engine.yml"
        path.write_text(json.dumps([play]))
        values = {"gpus_repository": f"http://{self.address('one')}:8081", **variables}
        extra = json.dumps({f"docker_engine_{key}": value for key, value in values.items()})
        done = self._playbook("-i", self.inventory, path, "-e", extra, *flags)
        return " ".join((done.stdout + done.stderr).split())

    def module(self, host, name, *flags, **options):
        """A module's result, over SSH."""
        tools = Path(sys.executable).parent
        command = [tools / "ansible", host, "-i", self.inventory, "--become", "-m", f"myjupyter.fleet.{name}"]
        env = {**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_FORCE_COLOR": "0"}
        command += ["-a", json.dumps(options), *flags]
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
        return json.JSONDecoder().raw_decode(done.stdout.partition("=> ")[2])[0]

    def labs(self, *labs, host="one", check=False, **options):
        flags = ["--check", "--diff"] if check else []
        wanted = [{"image": "myjupyter-base", "bind_address": "0.0.0.0", **lab} for lab in labs]
        return self.module(host, "labs", *flags, labs=wanted, at_once=2, **options)

    def given(self, lab, host="one"):
        """The GPUs in the engine's own words."""
        said = self.on(host, f"docker inspect -f '{{{{json .HostConfig.DeviceRequests}}}}' {lab}")
        return [uuid for request in json.loads(said) or [] for uuid in request["DeviceIDs"]]

    def server(self, lab):
        port = self.on("one", f"docker port {lab} 8888/tcp | head -1").rpartition(":")[2]
        return Server(
            f"http://{self.address('one')}:{port}", self.on("one", f"cat /var/lib/myjupyter/labs/{lab}/token")
        )


@pytest.fixture(scope="module")
def fleet(base, playbook, tmp_path_factory):
    """Hosts without an engine, with what stands in for NVIDIA's things at hand in /shared."""
    directory = tmp_path_factory.mktemp("gpus")
    try:
        hosts.up(directory, [hosts.Host.parse(text) for text in HOSTS])
        shared = directory / "shared"
        for path in (ROOT / "tests/hosts/gpus").iterdir():
            (shared / path.name).write_bytes(path.read_bytes())
        (shared / "list").write_text(LIST)
        (shared / "usage").write_text(USAGE)
        subprocess.run(["docker", "save", "--output", shared / "base.tar", base], check=True)
        yield Fleet(directory, playbook)
    finally:
        hosts.down(directory)


@pytest.fixture(scope="module")
def carded(fleet):
    """The hosts have a card, and no driver; there is a repository of the toolkit."""
    fleet.on("one", "sh /shared/repository.sh /shared")
    for name in ("one", "two"):
        fleet.on(name, CARD)
    return fleet


@pytest.fixture(scope="module")
def without_driver(carded):
    """One has an engine now, and what the role said of the card; the other has none yet."""
    said = carded.engine(hosts="one")
    carded.on("one", f"{ANSWERS}; docker load -qi /shared/base.tar")
    return said


@pytest.fixture(scope="module")
def ready(carded, without_driver):
    """One had an engine already, and a container running in it; the other gets all at once."""
    for name in ("one", "two"):
        carded.on(name, DRIVER)
    carded.on("one", SLEEP.format(""))
    before = carded.on("one", PID)
    foretold = carded.engine("--check", "--diff")
    done = carded.engine()
    assert carded.on("one", f"{ANSWERS}; {PID}") == before
    carded.on("one", "docker rm -f other")
    carded.on("two", "docker load -qi /shared/base.tar")
    return carded, foretold, done


@pytest.fixture
def gpus(ready):
    """Hosts with GPUs and no lab."""
    yield ready[0]
    for name in ("one", "two"):
        ready[0].on(name, "docker ps -aq | xargs -r docker rm -f; rm -rf /var/lib/myjupyter")


def test_a_card_without_a_driver_is_warned_of_and_is_no_error(carded, without_driver):
    assert "has an NVIDIA GPU (0000:01:00.0), and no driver of NVIDIA's shows it" in without_driver
    assert "nvidia-container-toolkit" not in carded.on("one", "dpkg-query -W -f '${Package} '")
    assert "no driver" not in carded.engine("--check", hosts="one", gpus="none")
    refused = carded.labs({"name": "ana", "gpus": 1}, check=True)
    assert "labs[ana].gpus: '1' is not to be had, as no driver shows a GPU on this host" in refused["msg"]
    assert "needs NVIDIA's container toolkit" in carded.labs({"name": "ana", "gpus": 1})["msg"]


def test_the_toolkit_comes_where_a_driver_shows_gpus(ready):
    fleet, foretold, done = ready
    assert "nvidia-container-toolkit" in foretold and '+ "path": "nvidia-container-runtime"' in foretold
    assert "restart the engine, for runtimes, NVIDIA's container toolkit" in foretold
    assert not re.search(r"failed=[1-9]", done)
    for name in ("one", "two"):
        daemon = json.loads(fleet.on(name, "cat /etc/docker/daemon.json"))
        assert daemon["runtimes"] == {"nvidia": {"path": "nvidia-container-runtime"}} and daemon["live-restore"]
        assert "nvidia" in json.loads(fleet.on(name, "docker info -f '{{json .Runtimes}}'"))
        assert re.search(rf"{name} : ok=\d+ changed=0 ", fleet.engine())
        assert re.search(rf"{name} : ok=\d+ changed=0 ", fleet.engine("--check"))


@pytest.mark.parametrize("host", ["one", "two"])
def test_a_number_is_given_by_uuid_and_stays(gpus, host):
    ana, ben = {"name": "ana", "gpus": 1}, {"name": "ben", "gpus": 1}
    foretold = gpus.labs(ana, ben, host=host, check=True)
    assert foretold["changed"] and [lab["gpus"] for lab in foretold["labs"]] == [[A], [B]]
    assert [lab["gpus"] for lab in gpus.labs(ana, ben, host=host)["labs"]] == [[A], [B]]
    assert gpus.given("ana", host) == [A] and gpus.given("ben", host) == [B]
    called = gpus.on(host, "cat /var/log/nvidia-hook.log").splitlines()
    assert {f"ana NVIDIA_VISIBLE_DEVICES={A}", f"ben NVIDIA_VISIBLE_DEVICES={B}"} <= set(called)
    for check in (True, False):
        assert not gpus.labs(ana, ben, host=host, check=check)["changed"]
    gpus.labs({**ana, "state": "absent"}, host=host)
    kept = gpus.labs(ben, host=host)
    assert not kept["changed"] and kept["labs"][0]["gpus"] == [B]


def test_one_gpu_is_never_two_labs(gpus):
    stopped = {"state": "stopped"}
    gpus.labs(
        {"name": "ana", "gpus": 1, **stopped},
        {"name": "ben", "gpus": [B], **stopped},
        {"name": "dan", "gpus": 1, **stopped},
    )
    before = gpus.on("one", "docker ps -aq")
    for check in (True, False):
        refused = gpus.labs({"name": "new"}, {"name": "chi", "gpus": [A]}, check=check)
        assert refused["msg"] == (
            f"labs[chi].gpus: '{A}' is taken by the lab ana: {OTHER_PART} is free, or share it "
            "(gpus_shared: true here and for the lab ana)."
        )
    refused = gpus.labs({"name": "chi", "gpus": 2})["msg"]
    assert f"2 is more than can be had: {A} is taken by the lab ana, {B} is taken by the lab ben, " in refused
    assert f"{PART} is taken by the lab dan; {OTHER_PART} is free" in refused
    assert (
        f"'GPU-cccc' is cut into parts: name some of {PART}, {OTHER_PART}"
        in gpus.labs({"name": "chi", "gpus": ["GPU-cccc"]})["msg"]
    )
    assert gpus.on("one", "docker ps -aq") == before, "nothing was touched"


def test_a_container_of_others_keeps_its_gpu(gpus):
    gpus.on("one", SLEEP.format(f"--gpus device={A}"))
    assert f"'{A}' is taken by the container other" in gpus.labs({"name": "ana", "gpus": [A]})["msg"]
    assert gpus.labs({"name": "ana", "gpus": 1, "state": "stopped"})["labs"][0]["gpus"] == [B]


def test_who_shares_may_have_what_others_share(gpus):
    shared = {"gpus": [PART], "gpus_shared": True, "state": "stopped"}
    done = gpus.labs({"name": "ana", **shared}, {"name": "ben", **shared})
    assert [lab["gpus"] for lab in done["labs"]] == [[PART], [PART]]
    refused = gpus.labs({"name": "chi", "gpus": "all"})["msg"]
    assert f"'{PART}' is taken by the lab ana and the lab ben: " in refused
    assert not gpus.labs({"name": "ana", **shared}, {"name": "ben", **shared})["changed"]


def test_a_gpu_goes_from_lab_to_lab_in_one_run_and_waits_for_who_is_at_work(gpus):
    only = {"gpus": [A]}
    gpus.labs({"name": "ana", **only})
    server = gpus.server("ana")
    kernel = server.start_kernel()
    server.execute(kernel, BUSY, wait=False)
    late = gpus.labs({"name": "ben", **only}, {"name": "ana"})
    assert {item["lab"]: item["reason"] for item in late["deferred"]}["ben"] == "its GPU is still that of ana"
    assert not late["changed"] and gpus.given("ana") == [A]
    assert gpus.on("one", "docker ps -a --format '{{.Names}}'") == "ana"

    server.ask(f"api/kernels/{kernel}", "DELETE")
    done = gpus.labs({"name": "ben", **only}, {"name": "ana"})
    assert not done["deferred"] and gpus.given("ana") == [] and gpus.given("ben") == [A]
    begun = [gpus.on("one", f"docker inspect -f '{{{{.State.StartedAt}}}}' {name}") for name in ("ana", "ben")]
    assert begun == sorted(begun), "ana had given it up before ben got it"


def test_a_gpu_that_is_gone_is_seen_and_another_takes_its_place(gpus):
    gpus.labs({"name": "ana", "gpus": 1})
    (lab,) = gpus.module("one", "labs_info", sizes=False)["labs"]
    assert lab["gpus"] == [
        {"uuid": A, "name": "NVIDIA L4", "shared": False, "utilization": 37,
         "memory": {"used": 1024 * 2**20, "total": 23034 * 2**20}}
    ]  # fmt: skip
    assert lab["drift"] == {}
    shown = gpus._playbook("-i", gpus.inventory, "playbooks/status.yml", "--limit", "one").stdout
    assert re.search(r"GPUS.*ana .*1 \(37%\)", shown, re.S)
    gpus.on("one", "sed -i '/^GPU 0/d' /etc/fake-gpus/list")
    (lab,) = gpus.module("one", "labs_info", sizes=False)["labs"]
    assert lab["drift"] == {"gpus": {"declared": [A], "found": []}} and lab["gpus"][0]["name"] is None
    assert gpus.labs({"name": "ana", "gpus": 1})["labs"][0]["gpus"] == [B]
    gpus.on("one", "cp /shared/list /etc/fake-gpus")
