"""daemon.json: merging, and what a change takes."""

from __future__ import annotations

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import FleetError
from ansible_collections.myjupyter.fleet.plugins.module_utils.dockerd import _daemon

OURS = {"live-restore": True, "log-opts": {"max-size": "10m", "max-file": "3"}}


@pytest.mark.parametrize(
    "found, declared, wanted",
    [
        ({}, {}, OURS),
        ({"debug": True}, {}, {"debug": True, **OURS}),
        ({"live-restore": False}, {}, {**OURS, "live-restore": False}),
        ({"live-restore": False}, {"live-restore": True}, OURS),
        ({"log-opts": {"max-size": "1g"}}, {}, {**OURS, "log-opts": {"max-size": "1g", "max-file": "3"}}),
        ({}, {"log-opts": {"max-file": 9}}, {"live-restore": True, "log-opts": {"max-file": "9"}}),
        ({"log-driver": "journald"}, {}, {"log-driver": "journald", "live-restore": True}),
        ({"log-driver": "local"}, {}, {"log-driver": "local", **OURS}),
        ({"log-opts": {"compress": "true"}}, {"log-opts": {"compress": None}}, {"live-restore": True}),
        ({"dns": ["1.1.1.1"]}, {"dns": ["9.9.9.9"]}, {"dns": ["9.9.9.9"], **OURS}),
        ({"dns": ["1.1.1.1"]}, {"dns": None}, OURS),
        ({"log-opts": None}, {}, OURS),
        ({"runtimes": {"a": {"path": "/a"}}}, {"runtimes": {"b": {"path": "/b"}}},
         {"runtimes": {"a": {"path": "/a"}, "b": {"path": "/b"}}, **OURS}),
    ],
)  # fmt: skip
def test_merge(found, declared, wanted):
    merged = _daemon.merge(found, declared)
    assert merged == wanted
    assert _daemon.merge(merged, declared) == wanted, "a second run changes nothing"


NVIDIA = {"nvidia": {"path": "nvidia-container-runtime"}}


@pytest.mark.parametrize(
    "found, declared, runtimes",
    [
        ({}, {}, NVIDIA),
        ({"runtimes": {"a": {"path": "/a"}}}, {}, {"a": {"path": "/a"}, **NVIDIA}),
        ({"runtimes": {"nvidia": {"path": "/n", "args": []}}}, {}, {"nvidia": {"path": "/n", "args": []}}),
        ({}, {"runtimes": {"nvidia": {"path": "/own"}}}, {"nvidia": {"path": "/own"}}),
        ({}, {"runtimes": {"b": {"path": "/b"}}}, {"b": {"path": "/b"}, **NVIDIA}),
        ({"runtimes": NVIDIA}, {"runtimes": {"nvidia": None}}, {}),
        ({"runtimes": NVIDIA}, {"runtimes": None}, None),
    ],
)
def test_nvidias_runtime_is_registered_where_nobody_says_otherwise(found, declared, runtimes):
    merged = _daemon.merge(found, declared, gpus=True)
    assert merged.get("runtimes") == runtimes
    assert _daemon.merge(merged, declared, gpus=True) == merged
    assert "runtimes" not in _daemon.merge({}, {})


def test_what_a_flag_says_is_not_said_again():
    assert _daemon.merge({}, {}, flags=["live-restore", "log-driver"]) == {}
    assert _daemon.keys_of(["log-opt", "mtu"]) == {"log-opts", "mtu"}


@pytest.mark.parametrize(
    "found, declared, wanted",
    [
        ({}, {}, {"live-restore": True}),
        ({"log-opts": {"max-size": "1g"}}, {}, {"live-restore": True, "log-opts": {"max-size": "1g"}}),
        ({}, {"log-opts": {"max-size": "1g"}}, {"live-restore": True, "log-opts": {"max-size": "1g"}}),
        (OURS, {}, OURS),
    ],
)
def test_no_default_of_ours_restarts_an_engine_that_runs(found, declared, wanted):
    merged = _daemon.merge(found, declared, runs=True)
    assert merged == wanted
    assert _daemon.merge(merged, declared, runs=True) == wanted, "a second run changes nothing"


def test_marks_of_an_editor_are_passed_over():
    assert _daemon.parse('\ufeff{"debug": true}') == {"debug": True}
    assert _daemon.merge({"runtimes": None}, {}, gpus=True)["runtimes"] == NVIDIA


def test_a_swarm_is_not_given_live_restore():
    assert "live-restore" not in _daemon.merge({}, {}, swarm=True)


def test_what_was_found_is_not_touched():
    found = {"log-opts": {"max-size": "1g"}}
    _daemon.merge(found, {"log-opts": {"max-size": "2g"}})
    assert found == {"log-opts": {"max-size": "1g"}}


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_nothing_there_says_nothing(text):
    assert _daemon.parse(text) == {}


@pytest.mark.parametrize(
    "text, flaw",
    [
        ("{", "is not valid JSON"),
        ('{"a": 1,}', "is not valid JSON"),
        ("[]", "holds no JSON object"),
        ('"a"', "holds no JSON object"),
        ('{"log-opts": "max-size=1m"}', "has 'log-opts': \"max-size=1m\", where dockerd wants an object"),
        ('{"features": ["buildkit"]}', "has 'features': .* where dockerd wants an object"),
        ('{"runtimes": true}', "has 'runtimes': true, where dockerd wants an object"),
        ('{"labels": ["room=\ufffd"]}', "is not in UTF-8"),
        ('{"debug": true, "debug": false}', "has 'debug' twice"),
        ('{"log-opts": {"max-size": "1m", "max-size": "2m"}}', "has 'max-size' twice"),
    ],
)
def test_what_cannot_be_merged_is_refused(text, flaw):
    with pytest.raises(FleetError, match=f"{flaw}.*: repair it, or move it away; it was left as it is"):
        _daemon.parse(text)


def test_only_what_a_reload_cannot_bring_needs_a_restart():
    keys = _daemon.changed_keys({"debug": True, "mtu": 1400}, {"debug": False, "mtu": 1500, "live-restore": True})
    assert keys == ["debug", "live-restore", "mtu"]
    assert _daemon.needs_restart(keys) == ["mtu"]
