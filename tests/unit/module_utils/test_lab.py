"""A lab, on a label and in the engine's own words."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils._settings import image_digest
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _container
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._declared import parse_labs
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._lab import (
    SPEC_LABEL,
    Lab,
    digest,
    from_label,
    to_label,
)
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._state import StateDir, token_for

LAB = Lab(
    name="ana", image="myjupyter", port=10001, work_dir="/srv/myjupyter/ana", owner="1000:100", token="secret-token",
    token_digest="0123", image_digest="4567", memory=2**30, cpus=1.5, env={"A": "b"},
)  # fmt: skip


def test_label_and_back():
    assert from_label(to_label(LAB)) == replace(LAB, token="")


def test_label_holds_no_token():
    assert "secret-token" not in to_label(LAB)
    assert "secret-token" not in repr(LAB)


def test_label_of_a_later_version_is_read():
    label = json.dumps({**json.loads(to_label(LAB)), "later": 1})
    assert from_label(label).name == "ana"


def test_digest_is_short_and_steady():
    assert digest("x") == digest("x") != digest("y")
    assert len(digest("x")) == 16


def test_image_digest_looks_at_layers_and_configuration():
    image = {"Id": "1", "RootFS": {"Layers": ["a"]}, "Config": {"Env": ["A=b"]}}
    assert image_digest(image) == image_digest({**image, "Id": "2"})
    assert image_digest(image) != image_digest({**image, "RootFS": {"Layers": ["a", "b"]}})
    assert image_digest(image) != image_digest({**image, "Config": {"Env": []}})
    assert image_digest(image) != image_digest({**image, "Config": {**image["Config"], "Labels": {"a": "b"}}})


def test_image_digest_is_the_same_whatever_an_engine_leaves_out():
    image = {"RootFS": {"Layers": ["a"]}, "Config": {"Env": ["A=b"]}}
    older = {"Hostname": "", "Tty": False, "Image": "sha256:1", "Cmd": None, "Labels": None, "OnBuild": None}
    assert image_digest(image) == image_digest({**image, "Config": {**older, **image["Config"]}})
    assert image_digest({"RootFS": {}}) == image_digest({"RootFS": {}, "Config": older})


def config(**changes):
    return _container.container_config(replace(LAB, **changes), "/private/ana", 30)


def test_container_of_a_lab():
    body = config()
    assert body["User"] == "1000:100"
    assert body["HostConfig"]["PortBindings"] == {"8888/tcp": [{"HostIp": "127.0.0.1", "HostPort": "10001"}]}
    assert {"A=b", "JUPYTER_TOKEN_FILE=/run/myjupyter/token"} <= set(body["Env"])
    assert [(mount["Source"], mount["Target"], mount["ReadOnly"]) for mount in body["HostConfig"]["Mounts"]] == [
        ("/private/ana", "/run/myjupyter", True),
        ("/srv/myjupyter/ana", "/home/jovyan/work", False),
    ]
    assert "secret-token" not in json.dumps(body)
    assert "Healthcheck" not in body


@pytest.mark.parametrize(
    ("changes", "read", "seen"),
    [
        ({"env": {"JUPYTER_PORT": "8123"}}, lambda body: list(body["ExposedPorts"]), ["8123/tcp"]),
        ({}, lambda body: "JUPYTER_PORT=8888" in body["Env"] and "GEN_CERT" in body["Env"], True),
        ({"env": {"GEN_CERT": ""}}, lambda body: "GEN_CERT" in body["Env"], False),
        ({"start_as_root": True}, lambda body: body["User"], "0:0"),
        ({"ephemeral": True, "work_dir": ""}, lambda body: len(body["HostConfig"]["Mounts"]), 1),
        ({"networks": ["a", "b"]}, lambda body: body["HostConfig"]["NetworkMode"], "a"),
        (
            {"gpus": ["GPU-1"]},
            lambda body: body["HostConfig"]["DeviceRequests"],
            [{"Driver": "", "DeviceIDs": ["GPU-1"], "Capabilities": [["gpu"]]}],
        ),
        ({"gpus": ["GPU-1"]}, lambda body: "NVIDIA_VISIBLE_DEVICES=void" in body["Env"], False),
        ({}, lambda body: "NVIDIA_VISIBLE_DEVICES=void" in body["Env"], True),
        ({}, lambda body: body["HostConfig"]["DeviceRequests"], []),
        ({"healthcheck": {"interval": 5}}, lambda body: body["Healthcheck"], {"Interval": 5 * 10**9}),
        ({"healthcheck": {"disable": True}}, lambda body: body["Healthcheck"], {"Test": ["NONE"]}),
    ],
)
def test_what_an_option_makes_of_it(changes, read, seen):
    assert read(config(**changes)) == seen


def test_users_configuration_lies_over_ours():
    merged = _container.server_config(replace(LAB, config={"ServerApp": {"root_dir": "/x", "allow_origin": "*"}}))
    assert merged == {"ServerApp": {"root_dir": "/x", "base_url": "/", "allow_origin": "*"}}


def inspected(lab=LAB, **host):
    return {
        "Id": "abc",
        "Name": "/ana",
        "Config": {"Labels": {SPEC_LABEL: to_label(lab)}},
        "HostConfig": {"Memory": lab.memory, "CpuQuota": 150000, "CpuPeriod": 100000,
                       "RestartPolicy": {"Name": "unless-stopped"}, **host},
        "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z"},
        "NetworkSettings": {"Networks": {"bridge": {}}},
    }  # fmt: skip


def test_found_is_the_label_with_live_facts_over_it():
    found = _container.found_from(inspected())
    assert replace(found.lab, token="") == replace(LAB, token="")
    drifted = _container.found_from(inspected(Memory=5, NanoCpus=2 * 10**9, PidsLimit=7))
    assert (drifted.lab.memory, drifted.lab.cpus, drifted.lab.pids_limit) == (5, 2.0, 7)
    assert drifted.as_created.memory == 2**30


def test_where_an_engine_listens_is_read_live():
    bindings = [{"HostIp": "0.0.0.0", "HostPort": "10001"}, {"HostIp": "10.0.0.5", "HostPort": "10001"}]
    ports = {"8888/tcp": bindings, "9999/tcp": None}
    inspect = {**inspected(), "NetworkSettings": {"Networks": {}, "Ports": ports}}
    assert _container.found_from(inspect).published == {(10001, ""), (10001, "10.0.0.5")}
    assert _container.found_from(inspected()).published == frozenset()


HOME, WORK = "/home/jovyan", "/home/jovyan/work"


@pytest.mark.parametrize(
    ("targets", "at_home", "in_work"),
    [
        (["/data", f"{HOME}/data"], [], []),
        ([f"{HOME}/.cache/a/b", f"{HOME}/.cache/c"], [f"{HOME}/.cache", f"{HOME}/.cache/a"], []),
        ([f"{WORK}/data/sets", f"{WORK}/x"], [], ["data/sets", "x"]),
        ([f"{WORK}/data", f"{WORK}/data/sets", f"{HOME}/d", f"{HOME}/d/e/f"], [], ["data"]),
        ([HOME, f"{HOME}/.cache/a", f"{WORK}/x"], [], ["x"]),
    ],
)
def test_what_leads_to_mounts(targets, at_home, in_work):
    lab = replace(LAB, mounts=[{"source": "/s", "target": target} for target in targets])
    assert (_container.ways_at_home(lab), _container.places_in_work(lab)) == (at_home, [("/s", it) for it in in_work])
    assert not _container.places_in_work(replace(lab, work_dir=""))


def test_the_home_of_another_name_leads_to_the_work():
    lab = replace(LAB, start_as_root=True, env={"NB_USER": "ana"})
    assert _container.ways_at_home(lab) == ["/home/ana"]


@pytest.mark.parametrize(
    ("created", "now", "seen"),
    [([], ["bridge"], []), (["net"], ["bridge"], []), (["bridge"], ["bridge"], []), ([], ["net"], ["net"]),
     ([], ["net", "bridge"], ["bridge", "net"])],
)  # fmt: skip
def test_the_default_network_is_none(created, now, seen):
    inspect = {**inspected(replace(LAB, networks=created)), "NetworkSettings": {"Networks": dict.fromkeys(now, {})}}
    assert _container.found_from(inspect).lab.networks == seen


def test_processors_are_found_as_they_are_declared():
    (lab,) = parse_labs([{"name": "ana", "cpus": 4 / 3}], "/srv")
    assert _container.found_from(inspected(CpuQuota=_container.limits(lab)["CpuQuota"])).lab.cpus == lab.cpus
    assert _container.found_from(inspected(NanoCpus=1333333333)).lab.cpus == lab.cpus


@pytest.mark.parametrize(
    ("options", "scheme"),
    [({}, "http"), ({"config": {"ServerApp": {"certfile": "/x"}}}, "https"), ({"env": {"GEN_CERT": ""}}, "https"),
     ({"config": {"ServerApp": None}}, "http"), ({"config": {"ServerApp": "x"}}, "http")],
)  # fmt: skip
def test_scheme(options, scheme):
    assert replace(LAB, **options).scheme == scheme


def test_a_token_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "token").write_bytes(b"\xff\xfe\x00t")
    with pytest.raises(InvalidInput, match=r"labs\[ana\].token_file.*is no text"):
        token_for(replace(LAB, token="", token_file=str(tmp_path / "token")), StateDir(str(tmp_path)))
