"""Whose an engine is, and what brings a host to the one that is wanted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import FleetError, InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils._gpu import Device, Hardware
from ansible_collections.myjupyter.fleet.plugins.module_utils.dockerd import _decide, _packages, _setup

PARAMS = {
    "manage": "auto",
    "source": "auto",
    "version": "",
    "hold": False,
    "sdk": "auto",
    "users": [],
    "daemon": {},
    "proxies": {},
    "registry_certificates": {},
    "free_space": "2G",
    "state": "started",
    "gpus": "auto",
}
DEBIAN = _packages.Release("Debian 13", "debian", "debian", "trixie")
SUSE = _packages.Release("openSUSE Leap 15.6", "", "")
ROCKY = _packages.Release("Rocky Linux 9.4", "redhat", "centos")
INSTALLED = dict.fromkeys(("docker.io", "docker-cli", "docker-buildx", "iptables", "ca-certificates"), "26.1.5-1")
DAEMON = '{"live-restore": true, "log-opts": {"max-size": "10m", "max-file": "3"}}'
RUNNING = _setup.Running("unix:///var/run/docker.sock", "26.1.5", 7, "service", live_restore=True)
BARE = _setup.Found(DEBIAN, True, "systemd", {"iptables": "1", "ca-certificates": "1"}, free_space=10**11)
DONE = replace(
    BARE,
    packages=INSTALLED,
    dockerd="/usr/sbin/dockerd",
    engine=RUNNING,
    sdk=True,
    files={"/etc/docker/daemon.json": DAEMON},
)
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"


def plan(found, **params):
    return _decide.plan(_setup.parse({**PARAMS, **params}), found)


def test_a_bare_host_gets_everything():
    result = plan(BARE)
    assert result.managed and result.changes
    assert result.packages == ("docker.io", "docker-cli", "docker-buildx", "python3-docker")
    assert list(result.files) == ["/etc/docker/daemon.json"]
    assert result.then == "start"


def test_a_complete_host_gets_nothing():
    assert plan(DONE).steps == () and not plan(DONE).changes


@pytest.mark.parametrize(
    "change, params, said",
    [
        ({"packages": {}}, {}, "comes from no package"),
        ({"engine": replace(RUNNING, keeper="hand")}, {}, "somebody started it by hand"),
        ({"engine": replace(RUNNING, keeper="elsewhere")}, {}, "rootless, Docker Desktop's, or elsewhere"),
        ({}, {"manage": "never"}, "manage is never"),
    ],
)
def test_an_engine_that_is_somebody_elses_is_left_alone(change, params, said):
    result = plan(replace(DONE, **change), daemon={"debug": True}, **params)
    assert not result.managed and not result.changes and said in result.decision


def test_an_engine_left_alone_still_gets_the_sdk():
    found = replace(DONE, engine=replace(RUNNING, keeper="hand"), sdk=False)
    assert plan(found).packages == ("python3-docker",)


def test_one_started_by_hand_can_be_taken_over():
    assert plan(replace(DONE, engine=replace(RUNNING, keeper="hand")), manage="always").managed
    unpacked = replace(DONE, packages={}, engine=replace(RUNNING, keeper="hand"))
    assert plan(unpacked, manage="always").packages == (), "dockerd is there"


def test_beside_an_engine_elsewhere_one_of_our_own_can_be_had():
    found = replace(BARE, engine=_setup.Running("unix:///run/user/1000/docker.sock", "27.3.1"))
    result = plan(found, manage="always")
    assert result.then == "start" and "docker.io" in result.packages


@pytest.mark.parametrize(
    "change, params, then",
    [
        ({}, {"daemon": {"debug": True}}, "reload"),
        ({}, {"daemon": {"mtu": 1400}}, "restart"),
        ({}, {"daemon": {"debug": True, "mtu": 1400}}, "restart"),
        ({"engine": None}, {"daemon": {"debug": True}}, "start"),
        ({"engine": None}, {"state": "configured"}, "nothing"),
        ({"engine": replace(RUNNING, live_restore=False)}, {}, "reload"),
        ({"files": {}}, {}, "reload"),
        ({"files": {}, "engine": None}, {}, "start"),
        ({"engine": replace(RUNNING, outdated=True)}, {}, "restart"),
        ({}, {"proxies": {"http": "http://10.0.0.1:3128"}}, "restart"),
        ({}, {"registry_certificates": {"registry.example.com": CERTIFICATE}}, "nothing"),
        ({}, {"daemon": {"features": {"buildkit": True}}}, "reload"),
        ({}, {"daemon": {"features": {"containerd-snapshotter": True}}}, "restart"),
        ({"engine": replace(RUNNING, containers=2)}, {"daemon": {"data-root": "/var/lib/docker/"}}, "restart"),
    ],
)
def test_what_dockerd_needs(change, params, then):
    assert plan(replace(DONE, **change), **params).then == then


def test_an_engine_that_boot_forgets_is_enabled():
    result = plan(replace(DONE, enabled=False))
    assert result.enable and result.changes


@pytest.mark.parametrize(
    "change, params, said",
    [
        ({"root": False}, {"daemon": {"debug": True}}, "become: true"),
        ({"release": SUSE, "packages": {}, "engine": None, "dockerd": ""}, {}, "openSUSE Leap 15.6"),
        ({"engine": None, "packages": {}}, {}, "installed by hand and does not run"),
        ({"engine": None, "free_space": 10**9}, {}, "No space"),
        ({"engine": None}, {"manage": "never"}, "no engine answers"),
        ({"users": {"ada": None}}, {"users": ["ada"]}, "'ada' has no account"),
        ({"engine": replace(RUNNING, containers=2)}, {"daemon": {"data-root": "/srv"}}, "would hide the 2 containers"),
        (
            {"engine": replace(RUNNING, containers=2)},
            {"daemon": {"userns-remap": "default"}},
            "daemon.userns-remap: 'default' would hide the 2 containers",
        ),
        (
            {"engine": replace(RUNNING, containers=2)},
            {"daemon": {"features": {"containerd-snapshotter": True}}},
            "daemon.containerd-snapshotter: .* would hide the 2 containers",
        ),
        (
            {"engine": replace(RUNNING, containers_running=3)},
            {"daemon": {"live-restore": False}, "version": "27"},
            "version: docker.io=27.* would end 3 running containers",
        ),
        ({"flags": frozenset({"mtu"})}, {"daemon": {"mtu": 1400}}, "daemon.mtu: 1400 is given to dockerd as a flag"),
        (
            {"engine": None, "packages": {}, "dockerd": "", "beside": "unix:///run/user/1000/docker.sock"},
            {},
            "answers at unix:///run/user/1000/docker.sock: use it without become",
        ),
        (
            {"engine": replace(RUNNING, containers_running=3)},
            {"daemon": {"live-restore": False, "mtu": 1400}},
            "would end 3 running containers",
        ),
        ({"engine": replace(RUNNING, containers_running=1)}, {"source": "docker"}, "would replace docker.io"),
        ({"release": ROCKY}, {"source": "distribution"}, "use docker"),
        ({"release": ROCKY, "sdk": False, "packages": {"docker-ce": "5:27"}}, {"sdk": "distribution"}, "use venv"),
    ],
)
def test_what_cannot_or_must_not_be_done_is_refused(change, params, said):
    with pytest.raises(FleetError, match=said):
        plan(replace(DONE, **change), **params)


def test_the_files_may_be_broken_where_the_engine_is_left_alone():
    found = replace(DONE, engine=replace(RUNNING, keeper="hand"), files={"/etc/docker/daemon.json": "{"})
    assert not plan(found).managed
    with pytest.raises(FleetError, match="not valid JSON"):
        plan(replace(found, engine=RUNNING))


def test_dockers_repository_is_needed_for_its_packages_only():
    assert plan(BARE, source="docker").repository
    assert not plan(BARE).repository
    there = dict.fromkeys((*_packages.FROM_DOCKER, "ca-certificates"), "5:27.3.1-1")
    assert not plan(replace(DONE, packages=there, sdk=False)).repository


def test_versions_are_held_once():
    held = replace(DONE, held=frozenset({"docker.io"}))
    assert plan(held, version="26.1", hold=True).hold == ("docker-cli",)
    assert plan(replace(DONE, held=frozenset({"docker.io", "docker-cli"})), version="26.1", hold=True).steps == ()


@pytest.mark.parametrize("services, more", [("systemd", _setup.DROP_IN), ("sysv", _setup.SYSV_DEFAULTS), ("none", "")])
def test_proxies_go_where_the_engine_is_started_from(services, more):
    params = {"proxies": {"http": "http://10.0.0.1:3128", "no": "localhost"}}
    result = plan(replace(DONE, services=services), **params)
    assert set(result.files) == {_setup.ENV_FILE, more} - {""}
    assert 'HTTP_PROXY="http://10.0.0.1:3128"\n' in result.files[_setup.ENV_FILE]
    again = replace(DONE, services=services, files={**DONE.files, **result.files})
    assert plan(again, **params).steps == ()


def test_proxies_that_nobody_declares_any_more_go():
    found = replace(DONE, files={**DONE.files, _setup.ENV_FILE: 'HTTP_PROXY="http://u:p@10.0.0.1"\n'})
    result = plan(found)
    assert result.files == {_setup.ENV_FILE: ""} and result.then == "restart"
    assert plan(replace(found, files={**DONE.files, **result.files})).steps == ()


def test_a_certificate_saved_on_windows_is_written_once():
    given = {"registry_certificates": {"r.example": CERTIFICATE.replace("\n", "\r\n")}}
    written = plan(DONE, **given).files
    assert plan(replace(DONE, files={**DONE.files, **written}), **given).steps == ()
    assert "\r" not in "".join(written.values())


def test_logs_are_rotated_by_engines_that_start():
    assert "max-size" not in plan(replace(DONE, files={})).files["/etc/docker/daemon.json"]
    assert "max-size" in plan(replace(DONE, files={}, engine=None)).files["/etc/docker/daemon.json"]


def test_no_default_of_ours_ends_containers():
    engine = replace(RUNNING, live_restore=False, containers_running=3)
    off = replace(DONE, engine=engine, files={"/etc/docker/daemon.json": '{"live-restore": false}'})
    assert plan(off).steps == ()
    swarm = replace(DONE, engine=replace(engine, swarm=True), files={})
    assert plan(swarm).steps == ()
    with pytest.raises(FleetError, match="log-opts needs a restart of the engine, which would end 3 running"):
        plan(off, daemon={"log-opts": {"max-size": "5m"}})


def test_an_engine_of_another_maker_is_left_alone():
    found = replace(DONE, packages={"moby-engine": "25.0.3", "iptables": "1"})
    result = plan(found, sdk="none")
    assert not result.managed and "comes from no package that is known here" in result.decision and not result.steps


@pytest.mark.parametrize("key", [False, "no", "false"])
@pytest.mark.parametrize("value", ["localhost,10.0.0.0/8", ["localhost", "10.0.0.0/8"]])
def test_no_is_a_word_that_yaml_reads_otherwise(key, value):
    result = plan(DONE, proxies={key: value})
    assert 'NO_PROXY="localhost,10.0.0.0/8"\n' in result.files[_setup.ENV_FILE]


def test_a_line_without_an_end_stays_whole():
    found = replace(DONE, services="sysv", files={**DONE.files, _setup.SYSV_DEFAULTS: 'DOCKER_OPTS="--dns 9.9.9.9"'})
    text = plan(found, proxies={"http": "http://10.0.0.1:3128"}).files[_setup.SYSV_DEFAULTS]
    assert text.splitlines() == ['DOCKER_OPTS="--dns 9.9.9.9"', _setup.SYSV_LINE]


def test_what_no_engine_can_judge_yet_waits_until_one_is_there():
    params = {"daemon": {"registry-mirror": ["x"], "live-restore": False}}
    first = plan(BARE, state="configured", **params).files["/etc/docker/daemon.json"]
    assert "registry-mirror" not in first and '"live-restore": false' in first
    assert "registry-mirror" in plan(BARE, **params).files["/etc/docker/daemon.json"]


FEDORA = _packages.Release("Fedora Linux 42", "redhat", "fedora")


@pytest.mark.parametrize("change", [{"dockerd": ""}, {"flags": frozenset({"live-restore", "log-driver"})}])
def test_what_dockerd_has_as_a_flag_is_not_written_too(change):
    found = replace(BARE, release=FEDORA, dockerd="/usr/bin/dockerd", packages={"moby-engine": "27"}, **{})
    assert not plan(replace(found, **change)).files
    assert plan(replace(found, dockerd=""), source="docker").files


def test_a_locked_version_is_unlocked_to_be_changed_and_locked_again():
    there = dict.fromkeys((*_packages.FROM_DOCKER, "ca-certificates"), "3:27.3.1-1.el9")
    found = replace(DONE, release=ROCKY, packages=there, held=frozenset({"docker-ce", "docker-ce-cli"}))
    result = plan(found, version="27.5", hold=True)
    assert result.packages == ("docker-ce-27.5*", "docker-ce-cli-27.5*")
    assert result.unlock == result.hold == ("docker-ce", "docker-ce-cli")
    assert plan(found, version="27.3", hold=True).unlock == ()


@pytest.mark.parametrize(
    "locks, names",
    [
        ("", []),
        ("docker-ce-cli-1:27.3.1-1.el9.*", ["docker-ce-cli"]),
        ("# by hand\n3:docker-ce-27.3.1-1.el9.*\n", ["docker-ce"]),
        ("!docker-ce-3:27.3.1-1.el9.*", []),
        ('[[packages]]\nname = "docker-ce"\n', ["docker-ce"]),
    ],
)
def test_what_dnf_has_locked(locks, names):
    assert _packages.locked(locks) == names


@pytest.mark.parametrize(
    "wanted, pinned",
    [
        ("20.10.2", "docker.io=20.10.2[!0-9]*"),
        ("26.1", "docker.io=26.1*"),
        ("20.10.24+dfsg1-1", "docker.io=20.10.24+dfsg1-1*"),
    ],
)
def test_a_version_in_full_is_no_other_one(wanted, pinned):
    assert _packages.missing(("docker.io",), wanted, {}, "debian") == [pinned]


def test_a_proxys_password_is_not_shown():
    wanted = _setup.parse({**PARAMS, "proxies": {"http": "http://u:secret@10.0.0.1"}})
    assert "secret" not in str(_setup.result(_decide.plan(wanted, DONE), DONE))


@pytest.mark.parametrize(
    "params, said",
    [
        ({"free_space": "much"}, "free_space: 'much' is no size"),
        ({"version": "27 3"}, "version: '27 3' is no version"),
        ({"proxies": {"ftp": "x"}}, "proxies: 'ftp' is not known"),
        ({"proxies": {"http": 'a"b'}}, "percent-encode"),
        ({"daemon": {"data-root": "~/docker"}}, "daemon.data-root: '~/docker' should be an absolute path"),
        ({"daemon": {"log-opts": "max-size=1m"}}, "daemon.log-opts: 'max-size=1m' should be a mapping"),
        ({"registry_certificates": {"a/b": CERTIFICATE}}, "is no registry"),
        ({"registry_certificates": {"a.b": "/etc/ca.pem"}}, "is no PEM certificate"),
    ],
)
def test_bad_options_are_refused(params, said):
    with pytest.raises(InvalidInput, match=said):
        _setup.parse({**PARAMS, **params})


@pytest.mark.parametrize("text, size", [("2G", 2 * 1024**3), ("1.5 GB", 3 * 512 * 1024**2), ("10", 10)])
def test_sizes(text, size):
    assert _setup.parse({**PARAMS, "free_space": text}).free_space == size


CARD = Hardware(cards=("0000:01:00.0",))
SEEN = Hardware(cards=CARD.cards, devices=(Device("GPU-a", "NVIDIA L4", "0"),))
READY = replace(SEEN, hook="/usr/bin/nvidia-container-runtime-hook")
TOOLKIT = "nvidia-container-toolkit"


@pytest.mark.parametrize(
    "hardware, gpus, comes",
    [
        (Hardware(), "auto", False),
        (CARD, "auto", False),
        (SEEN, "auto", True),
        (READY, "auto", False),
        (SEEN, "none", False),
        (Hardware(), "always", True),
        (CARD, "always", True),
    ],
)
def test_the_toolkit_comes_where_a_driver_shows_gpus_or_where_it_is_asked_for(hardware, gpus, comes):
    result = plan(replace(DONE, hardware=hardware), gpus=gpus)
    assert (TOOLKIT in result.packages, result.toolkit_repository) == (comes, comes)


def test_the_engine_is_restarted_once_for_the_toolkit():
    before = replace(DONE, hardware=SEEN)
    assert not plan(before).changes, "no runtime is registered that is not there yet"
    foretold = _decide.plan(_setup.parse(PARAMS), before, foretold=True)
    assert foretold.then == "restart" and foretold.steps[-1].endswith("for runtimes, NVIDIA's container toolkit")
    there = replace(DONE, hardware=READY)
    result = plan(there)
    assert result.then == "restart" and '"nvidia-container-runtime"' in result.files["/etc/docker/daemon.json"]
    written = replace(there, files=result.files)
    assert plan(written).then == "restart", "it has not read it yet"
    engine = replace(RUNNING, runtimes=frozenset({"runc", "nvidia"}))
    assert plan(replace(written, engine=engine)).steps == ()


def test_no_container_ends_for_the_toolkit():
    engine = replace(RUNNING, containers_running=2)
    found = replace(DONE, hardware=READY, engine=engine)
    with pytest.raises(FleetError, match="NVIDIA's container toolkit needs a restart .* end 2 running containers"):
        plan(found, daemon={"live-restore": False})


def test_a_card_without_a_driver_is_warned_of():
    assert "(0000:01:00.0), and no driver of NVIDIA's shows it" in plan(replace(DONE, hardware=CARD)).warnings[0]
    assert plan(replace(DONE, hardware=SEEN)).warnings == ()


def test_an_engine_left_alone_gets_no_toolkit_and_a_warning():
    found = replace(DONE, hardware=SEEN, engine=replace(RUNNING, keeper="hand"))
    result = plan(found)
    assert result.packages == () and "install NVIDIA's container toolkit" in result.warnings[0]
    assert plan(replace(found, hardware=READY)).warnings == ()
