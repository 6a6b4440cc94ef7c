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
    ("cpus", None, 0.0),
    ("pids_limit", "200", 200),
    ("port", "auto", 0),
    ("port", "10000", 10000),
    ("port", 10000, 10000),
    ("owner", "1000", "1000:100"),
    ("owner", 1000, "1000:100"),
    ("owner", "1000:1000", "1000:1000"),
    ("owner", "ana", "ana"),
    ("work_dir", None, "/srv/myjupyter/ana"),
    ("work_dir", "team/a", "/srv/myjupyter/team/a"),
    ("work_dir", "/data//ana/.", "/data/ana"),
    ("base_url", "alice", "/alice/"),
    ("base_url", "/hub/alice/", "/hub/alice/"),
    ("base_url", "/", "/"),
    ("gpus", "all", ["all"]),
    ("gpus", 2, ["2"]),
    ("gpus", ["GPU-8932f937-d72c"], ["GPU-8932f937-d72c"]),
    ("gpus", None, []),
    ("gpus", 0, []),
    ("gpus", ["MIG-2", "GPU-1", "MIG-2"], ["GPU-1", "MIG-2"]),
    ("gpus_shared", True, False),
    ("networks", ["b", "a"], ["a", "b"]),
    ("env", {"A": True, "B": 1}, {"A": "true", "B": "1"}),
    ("labels", {"a": 1}, {"a": "1"}),
    ("bind_address", "::1", "::1"),
    ("healthcheck", {"disable": False, "interval": 5}, {"interval": 5}),
    ("mounts", [{"source": "/d", "target": "/e"}], [{"source": "/d", "target": "/e", "read_only": True}]),
    ("config", {"ServerApp": {"a": 1}}, {"ServerApp": {"a": 1}}),
]


@pytest.mark.parametrize(("option", "value", "meaning"), READ, ids=[f"{row[0]}={row[1]}" for row in READ])
def test_read(option, value, meaning):
    assert getattr(parsed(**{option: value}), option) == meaning


REFUSED = [
    ("name", "", "no name for a container"),
    ("name", "-ana", "no name for a container"),
    ("name", "a b", "no name for a container"),
    ("name", "../x", "no name for a container"),
    ("name", "a" * 64, "no name for a container"),
    ("state", "running", "should be one of started, stopped"),
    ("image", "my image", "one word"),
    ("port", "0", "1 to 65535"),
    ("port", "70000", "1 to 65535"),
    ("port", "-1", "1 to 65535"),
    ("port", "http", "1 to 65535"),
    ("bind_address", "localhost", "should be an IP address"),
    ("work_dir", "../other", "without '..'"),
    ("owner", "a b", "UID:GID"),
    ("owner", "-1", "UID:GID"),
    ("token", "", "lets everybody in"),
    ("token", "short", "8 or more"),
    ("token", "with spaces in it", "8 or more"),
    ("token_file", "relative", "absolute path"),
    ("env", {"1A": "x"}, "no name for an environment variable"),
    ("env", {"JUPYTER_TOKEN": "x"}, "use token or token_file"),
    ("memory", "lots", "size such as 512m"),
    ("memory", "4 apples", "size such as 512m"),
    ("memory", "1m", "size such as 512m"),
    ("memory", "-1g", "size such as 512m"),
    ("shm_size", "x", "size such as"),
    ("cpus", -1, "above 0"),
    ("cpus", "many", "above 0"),
    ("pids_limit", -5, "above 0"),
    ("gpus", "some", "nvidia-smi"),
    ("gpus", "-1", "nvidia-smi"),
    ("gpus", ["all", "GPU-1"], "nvidia-smi"),
    ("gpus", True, "nvidia-smi"),
    ("env", {"NVIDIA_VISIBLE_DEVICES": "all"}, "use gpus"),
    ("networks", ["host"], "name a bridge network"),
    ("mounts", [{"source": "data", "target": "/x"}], "absolute path"),
    ("mounts", [{"source": "/data", "target": "/"}], "target not /"),
    ("base_url", "/a b/", "path such as"),
    ("base_url", "http://x/", "path such as"),
    ("restart_policy", "sometimes", "should be one of"),
    ("healthcheck", {"intervall": 5}, "is unknown"),
    ("healthcheck", {"interval": -5}, "above 0"),
]


@pytest.mark.parametrize(("option", "value", "sentence"), REFUSED, ids=[f"{row[0]}={row[1]}" for row in REFUSED])
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
