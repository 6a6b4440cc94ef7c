"""The role docker_engine on real hosts: fresh, again, killed, misconfigured, somebody else's.

The hosts live as long as this file's tests, which leave them as they found them: an engine that runs.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "hosts"))

import hosts  # noqa: E402

pytestmark = pytest.mark.hosts
HOSTS = ["debian12=debian12", "debian13=debian13", "bare=debian12:none", "sysv=debian12:sysv"]
ALL = [name.partition("=")[0] for name in HOSTS]
KINDS = ["debian12", "debian13", "bare"]  # two engines under systemd, one under nothing
BEFORE = {"debug": True, "labels": ["room=12"], "log-opts": {"max-size": "50m"}}
DAEMON = "/etc/docker/daemon.json"
# An image of one program and what it is linked with: no registry is needed.
MAKE_IMAGE = (
    "tar -chf - -C / $(ldd /usr/bin/sleep | grep -o '/lib[^ ]*' | cut -c2-) usr/bin/sleep | docker import - tiny"
)
SLEEP = "docker run -d --name lab tiny /usr/bin/sleep 1000 && docker inspect -f '{{.State.Pid}}' lab"
PID = "docker inspect -f '{{.State.Pid}} {{.State.Running}}' lab"
KILL = "kill -9 $(pidof dockerd)"
ANSWERS = "timeout 20 sh -c 'until docker version >/dev/null 2>&1; do sleep 0.1; done'"


class Fleet:
    """The hosts, the role run on them, and a root shell on each."""

    def __init__(self, directory, playbook):
        self.directory, self._playbook = directory, playbook
        self.play = directory / "play.yml"

    def run(self, *names, check=False, become=True, ok=True, **variables):
        """Run the role on some hosts, or all; what Ansible printed."""
        role = {"role": "myjupyter.fleet.docker_engine"}
        play = {"hosts": ",".join(names or ALL), "gather_facts": False, "become": become, "roles": [role]}
        self.play.write_text(json.dumps([play]))
        extra = {f"docker_engine_{name}": value for name, value in variables.items()}
        flags = ["--check", "--diff"] if check else []
        inventory = self.directory / "inventory.yml"
        done = self._playbook("-i", inventory, self.play, "-e", json.dumps(extra), *flags, check=ok)
        assert ok or done.returncode, done.stdout
        return Output(done.stdout + done.stderr)

    def status(self, name):
        """What the playbook tells of a host's labs."""
        inventory = self.directory / "inventory.yml"
        return Output(self._playbook("-i", inventory, ROOT / "playbooks/status.yml", "--limit", name).stdout).flat

    def on(self, name, command, ok=True):
        """What a command prints on a host, as root."""
        fleet = (self.directory / "fleet").read_text()
        shell = ["docker", "exec", f"{fleet}-{name}", "sh", "-c", command]
        done = subprocess.run(shell, capture_output=True, text=True, check=False)
        assert not ok or done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def daemon(self, name):
        return json.loads(self.on(name, f"cat {DAEMON}"))

    def put(self, name, path, text):
        self.on(name, f"mkdir -p {Path(path).parent} && printf '%s' '{text}' > {path}")


class Output(str):
    """What ansible-playbook printed."""

    def count(self, host, what="changed"):  # type: ignore[override]
        return int(re.search(rf"^{host} .*\b{what}=(\d+)", self, re.M)[1])

    @property
    def flat(self):
        """The text without line breaks, as messages are folded."""
        return " ".join(self.split())


@pytest.fixture(scope="module")
def bare(playbook, tmp_path_factory):
    """Hosts without an engine; one has a daemon.json already."""
    directory = tmp_path_factory.mktemp("hosts")
    try:
        hosts.up(directory, [hosts.Host.parse(text) for text in HOSTS])
        fleet = Fleet(directory, playbook)
        fleet.put("debian13", DAEMON, json.dumps(BEFORE))
        yield fleet
    finally:
        hosts.down(directory)


@pytest.fixture(scope="module")
def checked(bare):
    return bare.run(check=True)


@pytest.fixture(scope="module")
def installed(bare, checked):
    return bare.run()


@pytest.fixture
def fleet(bare, installed):
    return bare


@pytest.fixture
def labs(fleet):
    """The kinds of hosts, with a container running on each."""
    for name in KINDS:
        fleet.on(name, f"{MAKE_IMAGE} && {SLEEP}")
    yield KINDS
    for name in KINDS:
        fleet.on(name, f"{ANSWERS} && docker rm -f lab && docker rmi tiny")


def test_a_check_of_a_bare_host_runs_to_the_end_and_says_all(bare, checked):
    assert [checked.count(name) for name in ALL] == [1, 1, 1, 1]
    assert "install docker.io, docker-cli, docker-buildx, python3-docker" in checked
    assert "write /etc/docker/daemon.json" in checked


def test_a_bare_host_gets_an_engine_that_builds_and_an_sdk(fleet, installed):
    for name in ALL:
        assert installed.count(name, "failed") == 0
        assert fleet.on(name, "docker version -f '{{.Server.Version}}'")
        assert fleet.on(name, "/usr/bin/python3 -c 'import docker; print(docker.from_env().ping())'") == "True"
    build = "mkdir -p /b && echo 'FROM scratch' > /b/Dockerfile && echo 'COPY Dockerfile /' >> /b/Dockerfile && "
    assert fleet.on("debian12", f"{build} DOCKER_BUILDKIT=1 docker build -q /b").startswith("sha256:")
    assert fleet.on("debian13", f"{build} docker buildx build -q /b").startswith("sha256:")


def test_a_second_run_changes_nothing_in_few_tasks(fleet):
    output = fleet.run()
    assert [output.count(name) for name in ALL] == [0, 0, 0, 0]
    assert len(re.findall(r"^TASK ", output, re.M)) <= 4
    assert fleet.run(check=True).count("debian12") == 0


def test_daemon_json_keeps_what_it_said_and_gets_what_it_lacked(fleet):
    assert fleet.daemon("debian13") == {
        **BEFORE, "live-restore": True, "log-opts": {"max-size": "50m", "max-file": "3"}
    }  # fmt: skip
    assert fleet.daemon("debian12")["log-opts"] == {"max-size": "10m", "max-file": "3"}
    for name in ALL:
        assert fleet.on(name, "docker info -f '{{.LiveRestoreEnabled}}'") == "true"


def test_a_mirror_is_loaded_without_a_restart(fleet):
    before = fleet.on("debian12", "pidof dockerd")
    fleet.on("debian12", "chown nobody:adm /etc/docker/daemon.json")
    output = fleet.run("debian12", daemon={"registry-mirrors": ["http://127.0.0.1:9/"]})
    assert fleet.on("debian12", "stat -c %U:%G /etc/docker/daemon.json") == "nobody:adm"
    assert output.count("debian12") == 1
    assert "127.0.0.1:9" in fleet.on("debian12", "docker info")
    assert fleet.on("debian12", "pidof dockerd") == before
    fleet.run("debian12", daemon={"registry-mirrors": None})
    assert "registry-mirrors" not in fleet.daemon("debian12")


def test_a_daemon_json_that_is_no_json_is_refused_and_left(fleet):
    good = fleet.on("debian12", f"cat {DAEMON}")
    fleet.put("debian12", DAEMON, '{"debug": true,}')
    output = fleet.run("debian12", ok=False)
    assert f"{DAEMON} is not valid JSON" in output.flat and "it was left as it is" in output.flat
    assert fleet.on("debian12", f"cat {DAEMON}") == '{"debug": true,}'
    fleet.put("debian12", DAEMON, good)


def test_what_dockerd_refuses_is_taken_back(fleet):
    before = [fleet.on(name, f"cat {DAEMON}") for name in KINDS]
    output = fleet.run(*KINDS, daemon={"no-such-key": 1}, ok=False)
    assert [output.count(name, "failed") for name in KINDS] == [1, 1, 1]
    assert [fleet.on(name, f"cat {DAEMON}") for name in KINDS] == before
    assert [fleet.on(name, "docker version -f '{{.Server.Os}}'") for name in KINDS] == ["linux"] * 3
    output = fleet.run(*KINDS)
    assert [output.count(name) for name in KINDS] == [0, 0, 0]


def test_a_mistake_that_dockerd_never_read_ends_nothing(fleet):
    names = ["debian12", "bare"]  # later engines judge a file that they do not run with
    good = fleet.on("debian12", f"cat {DAEMON}")
    before = [fleet.on(name, "pidof dockerd") for name in names]
    for name in names:
        fleet.put(name, DAEMON, '{"live_restore": true}')
    output = fleet.run(*names, daemon={"log-level": "warn"}, ok=False).flat
    assert output.count("match any configuration option: live_restore. The old one is back.") > len(names)
    assert [fleet.on(name, "pidof dockerd") for name in names] == before
    assert {fleet.on(name, f"cat {DAEMON}") for name in names} == {'{"live_restore": true}'}

    fleet.on("debian12", "systemctl stop docker.service docker.socket")
    output = fleet.run("debian12", ok=False).flat
    assert "could not start the engine: unable to configure the Docker daemon" in output
    assert "Failed to start" not in output and "API listen" not in output
    for name in names:
        fleet.put(name, DAEMON, good)
    fleet.on("debian12", "systemctl start docker.socket")
    fleet.run(*names)


def test_why_systemd_would_not_is_told(fleet):
    before = fleet.on("debian12", "systemctl mask docker.service 2>/dev/null; pidof dockerd")
    assert "Unit docker.service is masked." in fleet.run("debian12", daemon={"log-level": "warn"}, ok=False).flat
    assert fleet.on("debian12", "pidof dockerd") == before
    fleet.on("debian12", "systemctl unmask docker.service")
    assert fleet.run("debian12").count("debian12") == 0


def test_an_engine_that_runs_is_not_restarted_for_our_defaults(fleet):
    good = fleet.on("debian12", f"cat {DAEMON}")
    before = fleet.on("debian12", f"rm {DAEMON} && systemctl restart docker && pidof dockerd")
    assert fleet.run("debian12").count("debian12") == 1
    assert fleet.daemon("debian12") == {"live-restore": True}
    assert fleet.on("debian12", "docker info -f '{{.LiveRestoreEnabled}}' && pidof dockerd") == f"true\n{before}"
    assert fleet.run("debian12").count("debian12") == 0
    fleet.put("debian12", DAEMON, good)
    fleet.on("debian12", "systemctl restart docker")


def test_an_engine_that_hangs_is_not_said_to_be_down(fleet):
    fleet.on("bare", "kill -STOP $(pidof dockerd)")
    try:
        assert "runs but did not answer within 30 s" in fleet.run("bare", ok=False).flat
        begun = time.monotonic()
        assert "bare: Could not reach the engine" in fleet.status("bare")
        assert time.monotonic() - begun < 45
    finally:
        fleet.on("bare", "kill -CONT $(pidof dockerd)")


def test_a_container_outlives_the_end_of_dockerd(fleet, labs):
    before = [fleet.on(name, PID) for name in labs]
    for name in labs:
        fleet.on(name, KILL)
    fleet.run(*labs)
    assert [fleet.on(name, f"{ANSWERS} && {PID}") for name in labs] == before


def test_a_container_outlives_a_restart_for_its_configuration(fleet, labs):
    before, daemons = [fleet.on(name, PID) for name in labs], [fleet.on(name, "pidof dockerd") for name in labs]
    output = fleet.run(*labs, daemon={"log-opts": {"max-file": 5}})
    assert [output.count(name) for name in labs] == [1, 1, 1]
    assert not set(daemons) & {fleet.on(name, "pidof dockerd") for name in labs}
    assert [fleet.on(name, PID) for name in labs] == before
    fleet.run(*labs, daemon={"log-opts": {"max-file": 3}})


def test_no_restart_ends_a_container_where_live_restore_is_off(fleet):
    name = "debian12"
    fleet.run(name, daemon={"live-restore": False})
    fleet.on(name, f"{MAKE_IMAGE} && {SLEEP}")
    before = fleet.on(name, PID)
    output = fleet.run(name, daemon={"live-restore": False, "log-level": "warn"}, ok=False)
    assert "would end 1 running containers, as live-restore is off" in output.flat
    # Switched on, it is loaded before the restart.
    fleet.run(name, daemon={"live-restore": True, "log-level": "warn"})
    assert fleet.on(name, PID) == before
    fleet.on(name, "docker rm -f lab && docker rmi tiny")
    fleet.run(name, daemon={"log-level": None})


def test_moving_the_data_from_under_containers_is_refused(fleet, labs):
    output = fleet.run(labs[0], daemon={"data-root": "/srv/docker"}, ok=False)
    assert "would hide the 1 containers in /var/lib/docker" in output.flat


def test_without_a_service_manager_the_engine_is_started_again(fleet):
    assert fleet.on("bare", "tr '\\0' '\\n' < /proc/$(pidof dockerd)/environ | grep STARTED_BY")
    assert fleet.on("bare", "cat /var/log/myjupyter-dockerd.log")
    fleet.on("bare", f"{KILL}; sleep 0.5; test -e /var/run/docker.pid")
    assert fleet.run("bare").count("bare") == 1
    assert fleet.run("bare").count("bare") == 0


def test_an_engine_that_is_down_is_not_started_without_room(fleet):
    fleet.on("bare", f"{KILL}; sleep 0.5")
    output = fleet.run("bare", free_space="900T", ok=False)
    assert "No space for an engine" in output.flat
    fleet.run("bare")


def test_an_engine_that_somebody_started_is_left_alone_until_asked(fleet):
    fleet.on("bare", "kill $(pidof dockerd); while pidof dockerd; do sleep 0.1; done")
    fleet.on("bare", f"(setsid dockerd > /dev/null 2>&1 < /dev/null &); {ANSWERS}")
    before = fleet.on("bare", "pidof dockerd")
    output = fleet.run("bare", daemon={"log-level": "warn"})
    assert output.count("bare") == 0
    assert "left alone: somebody started it by hand" in output.flat
    assert "log-level" not in fleet.daemon("bare")
    fleet.run("bare", manage="always", daemon={"log-level": "warn"})
    assert fleet.on("bare", "pidof dockerd") != before
    assert "left alone" not in fleet.run("bare", daemon={"log-level": None})


def test_an_init_script_starts_the_engine_where_it_can(fleet):
    # The script's ulimit is more than a container may have; without it, it does its work.
    fleet.on("sysv", "sed -i 's/ulimit -/: ulimit -/' /etc/init.d/docker")
    fleet.on("sysv", "kill $(pidof dockerd); while pidof dockerd; do sleep 0.1; done")
    fleet.run("sysv")
    assert fleet.on("sysv", "cat /var/run/docker-ssd.pid") == fleet.on("sysv", "pidof dockerd")
    assert fleet.run("sysv", daemon={"log-level": "warn"}).count("sysv") == 1
    assert fleet.on("sysv", "cat /var/run/docker-ssd.pid") == fleet.on("sysv", "pidof dockerd")
    assert fleet.run("sysv", daemon={"log-level": "warn"}).count("sysv") == 0


def test_users_join_the_group_and_strangers_are_refused(fleet):
    assert fleet.run("debian13", users=["admin"]).count("debian13") == 1
    assert "docker" in fleet.on("debian13", "id -nG admin").split()
    assert fleet.run("debian13", users=["admin"]).count("debian13") == 0
    assert "'nobody-known' has no account" in fleet.run("debian13", users=["nobody-known"], ok=False).flat


def test_a_version_is_pinned_and_held(fleet):
    version = fleet.on("debian13", "docker version -f '{{.Server.Version}}'")[:4]
    assert fleet.run("debian13", check=True, version=version).count("debian13") == 1
    assert fleet.run("debian13", version=version).count("debian13") == 1
    assert fleet.on("debian13", "apt-mark showhold").split() == ["docker-cli", "docker.io"]
    assert fleet.run("debian13", version=version).count("debian13") == 0
    assert "docker.io=99.9" in fleet.run("debian13", version="99.9", ok=False).flat
    fleet.on("debian13", "apt-mark unhold docker.io docker-cli")


def test_proxies_reach_the_engine_and_stay_private(fleet):
    names, proxies = ["debian13", "bare"], {"http": "http://user:secret@127.0.0.1:3128", "no": "127.0.0.1"}
    assert "secret" not in fleet.run(*names, proxies=proxies, check=True)
    fleet.run(*names, proxies=proxies)
    for name in names:
        assert "127.0.0.1:3128" in fleet.on(name, "docker info -f '{{.HTTPProxy}}'")
        assert fleet.on(name, "stat -c %a /etc/docker/myjupyter.env") == "600"
    fleet.run(*names, proxies={"http": "", "no": ""})
    assert [fleet.on(name, "docker info -f '{{.HTTPProxy}}'") for name in names] == ["", ""]


def test_the_engine_trusts_a_registrys_certificate_at_once(fleet):
    before = fleet.on("debian12", "pidof dockerd")
    text = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
    given = {"registry.example.com:5000": text}
    assert fleet.run("debian12", registry_certificates=given).count("debian12") == 1
    assert fleet.on("debian12", "cat /etc/docker/certs.d/registry.example.com:5000/ca.crt") == text
    assert fleet.on("debian12", "pidof dockerd") == before
    assert fleet.run("debian12", registry_certificates=given).count("debian12") == 0


def test_an_sdk_of_our_own_serves_where_the_distribution_has_none(fleet):
    fleet.on("debian12", "apt-get -qq remove python3-docker")
    assert fleet.run("debian12", sdk="venv", check=True).count("debian12") == 1
    fleet.run("debian12", sdk="venv")
    assert fleet.on("debian12", "/opt/myjupyter/venv/bin/python -c 'import docker; print(docker.from_env().ping())'")
    assert fleet.run("debian12", sdk="venv").count("debian12") == 0


def test_who_is_not_root_is_told_so(fleet):
    fleet.on("debian12", "gpasswd -d admin docker 2>/dev/null; true")
    assert "No permission to use the engine" in fleet.run("debian12", become=False, ok=False).flat
    fleet.on("bare", f"{KILL}; rm /var/run/docker.sock")
    output = fleet.run("bare", become=False, ok=False).flat
    assert "Root is needed" in output and "become: true" in output
    fleet.run("bare")


def test_dockers_own_repository_replaces_the_distributions_engine(fleet):
    """The last one, as it leaves another engine behind."""
    script = (ROOT / "tests/hosts/docker_repository.sh").read_text()
    fleet.put("debian12", "/repository.sh", script.replace("'", "'\\''"))
    fleet.on("debian12", "sh /repository.sh 5:27.3.1-1~debian.12~bookworm bookworm")
    wanted = {"source": "docker", "version": "27.3", "repository": "http://127.0.0.1:8080"}
    assert "docker-ce=5:27.3*, docker-ce-cli=5:27.3*, containerd.io" in fleet.run("debian12", check=True, **wanted).flat
    fleet.on("debian12", f"{MAKE_IMAGE} && {SLEEP}")
    assert "would replace docker.io by docker-ce" in fleet.run("debian12", ok=False, **wanted).flat
    fleet.on("debian12", "docker rm -f lab")
    fleet.run("debian12", **wanted)
    assert fleet.on("debian12", "dpkg-query -W -f '${Version}' docker-ce") == "5:27.3.1-1~debian.12~bookworm"
    assert fleet.on("debian12", "apt-mark showhold").split() == ["docker-ce", "docker-ce-cli"]
    assert "tiny" in fleet.on("debian12", "docker images")
    assert fleet.run("debian12", **wanted).count("debian12") == 0
    assert fleet.run("debian12").count("debian12") == 0
