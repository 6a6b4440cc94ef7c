"""What a user may declare, and the one sentence for each mistake."""

from __future__ import annotations

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._declared import check_run, parse_labs

ROOT = "/srv/myjupyter"


def parsed(**options):
    return parse_labs([{"name": "ana", **options}], ROOT)[0]


READ = [
    ("memory", "512m", 512 * 1024**2),
    ("memory", "1.5G", 1536 * 1024**2),
    ("memory", "4GiB", 4 * 1024**3),
    ("memory", 8388608, 8388608),
    ("memory", None, 0),
    ("shm_size", "1g", 1024**3),
    ("cpus", "1.5", 1.5),
    ("cpus", 4 / 3, 1.33333),
    ("cpus", None, 0.0),
    ("pids_limit", "200", 200),
    ("port", "auto", 0),
    ("port", "10000", 10000),
    ("port", 10000, 10000),
    ("owner", "1000", "1000:100"),
    ("owner", 1000, "1000:100"),
    ("owner", "1000:1000", "1000:1000"),
    ("owner", "4294967294:0", "4294967294:0"),
    ("owner", "ana", "ana"),
    ("work_dir", None, "/srv/myjupyter/ana"),
    ("work_dir", "team/a", "/srv/myjupyter/team/a"),
    ("work_dir", "/data//ana/.", "/data/ana"),
    ("base_url", "alice", "/alice/"),
    ("base_url", "/hub/alice/", "/hub/alice/"),
    ("base_url", "/", "/"),
    ("base_url", "a/b", "/a/b/"),
    ("gpus", "all", ["all"]),
    ("gpus", 2, ["2"]),
    ("gpus", ["GPU-8932f937-d72c"], ["GPU-8932f937-d72c"]),
    ("gpus", None, []),
    ("gpus", 0, []),
    ("gpus", "2", ["2"]),
    ("gpus", ["MIG-2", "GPU-1", "MIG-2"], ["GPU-1", "MIG-2"]),
    ("gpus_shared", True, False),
    ("networks", ["b", "a", "b"], ["a", "b"]),
    ("networks", ["bridge", "a"], ["a", "bridge"]),
    ("networks", ["bridge"], []),
    ("env", {"A": True, "B": 1, "C": ""}, {"A": "true", "B": "1", "C": ""}),
    ("labels", {"a": 1, "b": False}, {"a": "1", "b": "false"}),
    ("bind_address", "::1", "::1"),
    ("healthcheck", {"disable": False, "interval": 5}, {"interval": 5}),
    ("mounts", [{"source": "/d", "target": "/e"}], [{"source": "/d", "target": "/e", "read_only": True}]),
    ("mounts", [{"source": "/d", "target": "/home/jovyan/work/d"}],
     [{"source": "/d", "target": "/home/jovyan/work/d", "read_only": True}]),
    ("config", {"ServerApp": {"a": 1}}, {"ServerApp": {"a": 1}}),
    ("mounts", [{"source": "/d", "target": "//e/./f//"}], [{"source": "/d", "target": "/e/f", "read_only": True}]),
    ("config", {"ServerApp": {"ip": "0.0.0.0", "port": 8888}}, {"ServerApp": {"ip": "0.0.0.0", "port": 8888}}),
    ("config", {"ServerApp": None}, {"ServerApp": {}}),
    ("env", {"NOTEBOOK_ARGS": "--ip=* --port=8888 --no-browser"}, {"NOTEBOOK_ARGS": "--ip=* --port=8888 --no-browser"}),
]  # fmt: skip


@pytest.mark.parametrize(("option", "value", "meaning"), READ, ids=[f"{row[0]}={row[1]}" for row in READ])
def test_read(option, value, meaning):
    assert getattr(parsed(**{option: value}), option) == meaning


REFUSED = [
    ("name", "", "no name for a container"),
    ("name", "-ana", "no name for a container"),
    ("name", "a b", "no name for a container"),
    ("name", "../x", "no name for a container"),
    ("name", "a" * 64, "no name for a container"),
    ("name", "a", "2 to 63 of them"),
    ("name", "ana.previous", "that is being replaced"),
    ("name", "ana.next", "that is being replaced"),
    ("state", "running", "should be one of started, stopped"),
    ("image", "my image", "no name of an image"),
    ("image", "/", "no name of an image"),
    ("env", {"JUPYTER_PORT": "abc"}, r"env\.JUPYTER_PORT: 'abc' should be a number from 1"),
    ("env", {"A": "a\0b"}, "has a NUL in it"),
    ("pids_limit", 10**30, "above 0"),
    ("config", {"ServerApp": {"base_url": "/x/"}}, r"ServerApp\.base_url: '/x/' is said by the lab's base_url"),
    ("config", {"ServerApp": {"port": 9999}}, "is said by the lab's port"),
    ("config", {"ServerApp": {"ip": "127.0.0.1"}}, "is said by the lab's bind_address"),
    ("mounts", [{"source": "/data", "target": "//home/jovyan//work"}], "'/home/jovyan/work' is taken by the lab"),
    ("mounts", [{"source": "/data", "target": "/run"}], "'/run' is taken by the lab"),
    ("mounts", [{"source": "/data", "target": "/run/myjupyter/x"}], "is taken by the lab"),
    ("config", {"ServerApp": {"sock": "/x"}}, r"ServerApp\.sock: '/x' is said by the lab's port"),
    ("port", "0", "1 to 65535"),
    ("port", "70000", "1 to 65535"),
    ("port", "-1", "1 to 65535"),
    ("port", "http", "1 to 65535"),
    ("port", "²", "1 to 65535"),
    ("port", "9" * 5000, "1 to 65535"),
    ("bind_address", "localhost", "should be an IP address"),
    ("bind_address", "fe80::1%eth0", "names a zone, which the engine drops"),
    ("work_dir", "../other", "without '..'"),
    ("work_dir", "~/work", "without '~'"),
    ("owner", "a b", "UID:GID"),
    ("owner", "0", "is root, as whom a server runs only with config"),
    ("owner", "root", "is root, as whom a server runs only with config"),
    ("owner", "-1", "UID:GID"),
    ("owner", "4294967295", "at most 4294967294"),
    ("owner", "1000:4294967295", "at most 4294967294"),
    ("owner", "9" * 5000, "UID:GID"),
    ("token", "", "lets everybody in"),
    ("token", "short", "8 or more"),
    ("token", "with spaces in it", "8 or more"),
    ("token_file", "relative", "absolute path"),
    ("env", {"1A": "x"}, "no name for an environment variable"),
    ("env", {"JUPYTER_TOKEN": "x"}, "use token or token_file"),
    ("env", {"NOTEBOOK_ARGS": "--IdentityProvider.token=x"}, "use token or token_file"),
    ("env", {"NOTEBOOK_ARGS": "--debug --port 9"}, r"NOTEBOOK_ARGS\.port: '9' is said by the lab's port"),
    ("env", {"NOTEBOOK_ARGS": "--ServerApp.base_url='/x'"}, r"base_url: '/x' is said by the lab's base_url"),
    ("env", {"NOTEBOOK_ARGS": "--certfile=/x.pem"}, r"said by config: \{ServerApp: \{certfile"),
    ("env", {"JUPYTER_CONFIG_PATH": "/x"}, "use config"),
    ("env", {"JUPYTER_RUNTIME_DIR": "/x"}, "leave it out"),
    ("config", {"IdentityProvider": {"token": ""}}, r"config\.IdentityProvider\.token: .*use token or token_file"),
    ("env", {"A": None}, r"env\.A: None should be text.*'' is empty"),
    ("env", {"A": {"b": 1}}, r"env\.A: \{'b': 1\} should be text"),
    ("labels", {"a": None}, r"labels\.a: None should be text"),
    ("labels", {"a": [1]}, r"labels\.a: \[1\] should be text"),
    ("config", {"ServerApp": "x"}, r"config\.ServerApp: 'x' should be a mapping"),
    ("config", {"ServerApp": []}, r"config\.ServerApp: \[\] should be a mapping"),
    ("memory", "lots", "size such as 512m"),
    ("memory", "4 apples", "size such as 512m"),
    ("memory", "1m", "size such as 512m"),
    ("memory", "-1g", "size such as 512m"),
    ("memory", "9999999999t", "size such as 512m"),
    ("memory", "9" * 400, "size such as 512m"),
    ("shm_size", "x", "size such as"),
    ("cpus", -1, "above 0"),
    ("cpus", "many", "above 0"),
    ("cpus", "nan", "above 0"),
    ("cpus", "inf", "above 0"),
    ("cpus", 0.001, "at least 0.01"),
    ("pids_limit", -5, "above 0"),
    ("pids_limit", float("inf"), "above 0"),
    ("gpus", "some", "nvidia-smi"),
    ("gpus", "-1", "nvidia-smi"),
    ("gpus", ["all", "GPU-1"], "nvidia-smi"),
    ("gpus", True, "nvidia-smi"),
    ("gpus", ["0"], "a number that is in no list"),
    ("gpus", [2], "a number that is in no list"),
    ("gpus", "²", "a number that is in no list"),
    ("env", {"NVIDIA_VISIBLE_DEVICES": "all"}, "use gpus"),
    ("networks", ["host"], "name a bridge network"),
    ("mounts", [{"source": "data", "target": "/x"}], "absolute path"),
    ("mounts", [{"source": "/data", "target": "/"}], "target not /"),
    ("mounts", [{"source": "/data", "target": "/home/jovyan/work/"}], "'/home/jovyan/work' is taken by the lab"),
    ("mounts", [{"source": "/data", "target": "/run/myjupyter"}], "'/run/myjupyter' is taken by the lab"),
    ("mounts", [{"source": "/data", "target": "/x"}, {"source": "/e", "target": "/x/"}], "'/x' is taken"),
    ("base_url", "/a b/", "path such as"),
    ("base_url", "http://x/", "path such as"),
    ("base_url", "/a//b/", "path such as"),
    ("base_url", f"/{'a' * 100}!", "path such as"),
    ("base_url", "/a/../b/", "path such as"),
    ("base_url", ".", "path such as"),
    ("restart_policy", "sometimes", "should be one of"),
    ("healthcheck", {"intervall": 5}, "is unknown"),
    ("healthcheck", {"interval": -5}, "above 0"),
]


@pytest.mark.parametrize(("option", "value", "sentence"), REFUSED, ids=[f"{row[0]}={row[1]}"[:60] for row in REFUSED])
def test_refused(option, value, sentence):
    with pytest.raises(InvalidInput, match=sentence) as refusal:
        parsed(**{option: value})
    assert option in str(refusal.value)


def test_a_token_never_stands_in_a_refusal():
    with pytest.raises(InvalidInput) as refusal:
        parsed(token="s3c ret")
    assert "s3c" not in str(refusal.value)


def test_gpus_are_shared_where_there_are_any():
    assert parsed(gpus=1, gpus_shared=True).gpus_shared and not parsed(gpus=1).gpus_shared


def test_what_excludes_each_other():
    with pytest.raises(InvalidInput, match="exclude each other"):
        parsed(token="long-enough", token_file="/x")
    with pytest.raises(InvalidInput, match="goes with a persistent lab"):
        parsed(ephemeral=True, work_dir="/x")


@pytest.mark.parametrize(
    ("one", "other", "option"),
    [({"name": "ana"}, {"name": "ana", "work_dir": "b"}, "name"), ({"port": 10000}, {"port": 10000}, "port"),
     ({"work_dir": "x"}, {"work_dir": "/srv/myjupyter/x"}, "work_dir")],
)  # fmt: skip
def test_twins(one, other, option):
    with pytest.raises(InvalidInput, match=f"labs.{option}.*two labs"):
        parse_labs([{"name": "ana", **one}, {"name": "ben", **other}], ROOT)


ABSENT = {"state": "absent"}


@pytest.mark.parametrize(
    ("one", "other"),
    [({"port": 10000, **ABSENT}, {"port": 10000}), ({**ABSENT}, {"work_dir": "/srv/myjupyter/ana"}),
     ({"port": 10000}, {"port": 10000, "bind_address": "10.0.0.5"}),
     ({"work_dir": "/srv/ana"}, {"work_dir": "/srv/ana-try"})],
)  # fmt: skip
def test_what_two_labs_may_have(one, other):
    assert len(parse_labs([{"name": "ana", **one}, {"name": "ben", **other}], ROOT)) == 2


def test_every_address_is_that_of_others_too():
    with pytest.raises(InvalidInput, match="labs.port: 10000 is given to two labs"):
        parse_labs([{"name": "ana", "port": 10000}, {"name": "ben", "port": 10000, "bind_address": "0.0.0.0"}], ROOT)


@pytest.mark.parametrize(("ana", "ben"), [("team", "team/ben"), ("team/ana", "/srv/myjupyter/team")])
def test_no_work_dir_is_inside_that_of_another_lab(ana, ben):
    with pytest.raises(InvalidInput, match=r"work_dir: '/srv/myjupyter/team/\w+' is inside that of the lab \w+, /srv"):
        parse_labs([{"name": "ana", "work_dir": ana}, {"name": "ben", "work_dir": ben}], ROOT)


def test_an_ephemeral_lab_may_have_anything_for_its_work():
    mount = {"source": "/data", "target": "/home/jovyan/work"}
    assert parsed(ephemeral=True, mounts=[mount]).mounts[0]["target"] == mount["target"]
    with pytest.raises(InvalidInput, match="'/home/ana/work' is taken"):
        parsed(start_as_root=True, env={"NB_USER": "ana"}, mounts=[{**mount, "target": "/home/ana/work"}])


def test_an_ephemeral_lab_does_not_come_back_by_itself():
    lab = parsed(ephemeral=True, restart_policy="always")
    assert (lab.restart_policy, lab.work_dir) == ("no", "")


@pytest.mark.parametrize(
    "wrong", [{"wait_timeout": 0}, {"at_once": -1}, {"stop_timeout": 0}, {"first_port": 70000}, {"work_root": "srv"},
              {"work_root": "/"}],
)  # fmt: skip
def test_the_modules_own_options(wrong):
    good = {"wait_timeout": 120, "stop_timeout": 30, "at_once": 4, "first_port": 10000, "work_root": ROOT}
    check_run(good)
    with pytest.raises(InvalidInput, match=next(iter(wrong))):
        check_run({**good, **wrong})
