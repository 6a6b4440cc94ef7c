"""Which GPUs each lab gets, in tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils._gpu import Device
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _container, _gpus
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._lab import Lab
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._plan import plan_lab
from tests.unit.module_utils.test_plan import found as found_as

A, B, C = (Device(f"GPU-{letter}", "NVIDIA L4", str(index)) for index, letter in enumerate("abc"))
CUT = tuple(Device(f"MIG-{part}", "NVIDIA A100 MIG 3g.20gb", f"3:{part - 1}", "GPU-d") for part in (1, 2))
HOST = (A, B)
STRANGER = _gpus.Taker("GPU-a", "the container train", shared=True)


def lab(name, *gpus, **options):
    return Lab(name=name, gpus=list(gpus), owner="1000:100", **options)


def has(*labs, status="running"):
    return {item.name: found_as(item, status=status) for item in labs}


def given(*wanted, found=None, going=(), others=(), devices=HOST):
    return [item.gpus for item in _gpus.assign_gpus(wanted, found or {}, going, others, devices)]


SHARED = {"gpus_shared": True}
TABLE = [
    ("none is asked for", given(lab("ana")), [[]]),
    ("the first that are free", given(lab("ana", "1"), lab("ben", "1")), [["GPU-a"], ["GPU-b"]]),
    ("two at once", given(lab("ana", "2")), [["GPU-a", "GPU-b"]]),
    ("who names goes first", given(lab("ana", "1"), lab("ben", "GPU-a")), [["GPU-b"], ["GPU-a"]]),
    ("all", given(lab("ana", "all")), [["GPU-a", "GPU-b"]]),
    ("what it has it keeps", given(lab("ana", "1"), found=has(lab("ana", "GPU-b"))), [["GPU-b"]]),
    ("before a newcomer", given(lab("new", "1"), lab("ana", "1"), found=has(lab("ana", "GPU-a"))),
     [["GPU-b"], ["GPU-a"]]),
    ("one more", given(lab("ana", "2"), found=has(lab("ana", "GPU-b"))), [["GPU-a", "GPU-b"]]),
    ("one less", given(lab("ana", "1"), found=has(lab("ana", "GPU-a", "GPU-b"))), [["GPU-a"]]),
    ("one that is gone", given(lab("ana", "1"), found=has(lab("ana", "GPU-x"))), [["GPU-a"]]),
    ("an undeclared lab keeps its", given(lab("ana", "1"), found=has(lab("old", "GPU-a"))), [["GPU-b"]]),
    ("also when it is stopped", given(lab("ana", "1"), found=has(lab("old", "GPU-a"), status="exited")), [["GPU-b"]]),
    ("a purged one gives it up", given(lab("ana", "1"), found=has(lab("old", "GPU-a")), going={"old"}), [["GPU-a"]]),
    ("an absent one gives it up",
     given(lab("ana", "1"), lab("old", "1", state="absent"), found=has(lab("old", "GPU-a"))),
     [["GPU-a"], ["1"]]),
    ("a stopped one keeps its",
     given(lab("ana", "1"), lab("ben", "1", state="stopped"), found=has(lab("ben", "GPU-a"))),
     [["GPU-b"], ["GPU-a"]]),
    ("a container of others", given(lab("ana", "1"), others=[STRANGER]), [["GPU-b"]]),
    ("moves no lab away", given(lab("ana", "1"), others=[STRANGER], found=has(lab("ana", "GPU-a"))), [["GPU-a"]]),
    ("sharing with it", given(lab("ana", "GPU-a", **SHARED), others=[STRANGER]), [["GPU-a"]]),
    ("sharing what is named", given(lab("ana", "GPU-a", **SHARED), lab("ben", "GPU-a", **SHARED)),
     [["GPU-a"], ["GPU-a"]]),
    ("sharing spreads", given(*(lab(name, "1", **SHARED) for name in ("a", "b", "c"))),
     [["GPU-a"], ["GPU-b"], ["GPU-a"]]),
    ("who shares leaves room", given(lab("a", "1", **SHARED), lab("b", "1", **SHARED), lab("c", "1")),
     [["GPU-b"], ["GPU-b"], ["GPU-a"]]),
    ("sharing all", given(lab("a", "all", **SHARED), lab("b", "all", **SHARED)), [["GPU-a", "GPU-b"]] * 2),
    ("no more sharing",
     given(lab("a", "1"), lab("b", "1"), found=has(lab("a", "GPU-a", **SHARED), lab("b", "GPU-a", **SHARED))),
     [["GPU-a"], ["GPU-b"]]),
    ("parts are devices", given(lab("a", "1"), lab("b", "MIG-1"), devices=CUT), [["MIG-2"], ["MIG-1"]]),
    ("a driver that shows nothing takes nothing away",
     given(lab("a", "1"), lab("b", "GPU-b"), lab("c", "all"), devices=(),
           found=has(lab("a", "GPU-a"), lab("b", "GPU-b"), lab("c", "GPU-c"))), [["GPU-a"], ["GPU-b"], ["GPU-c"]]),
]  # fmt: skip


@pytest.mark.parametrize(("got", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_who_gets_which(got, expected):
    assert got == expected


REFUSED = [
    ("twice the same", [lab("ana", "GPU-a"), lab("ben", "GPU-a")], {},
     "labs[ben].gpus: 'GPU-a' is taken by the lab ana: GPU-b is free, or share it (gpus_shared: true here and for "
     "the lab ana)."),
    ("one of a lab", [lab("ben", "GPU-a")], {"found": has(lab("ana", "GPU-a"))}, "'GPU-a' is taken by the lab ana"),
    ("sharing with who does not", [lab("ben", "GPU-a", **SHARED)], {"found": has(lab("ana", "GPU-a"))},
     "GPU-a' is taken by the lab ana"),
    ("taking what others share", [lab("ben", "GPU-a")], {"found": has(lab("ana", "GPU-a", **SHARED))},
     "or share it (gpus_shared: true)."),
    ("what several share", [lab("new", "GPU-a")],
     {"found": has(lab("ben", "GPU-a", **SHARED), lab("ana", "GPU-a", **SHARED))},
     "is taken by the lab ana and the lab ben: GPU-b is free, or share it (gpus_shared: true)."),
    ("what a number has", [lab("ana", "1"), lab("ben", "GPU-a")], {"found": has(lab("ana", "GPU-a"))},
     "labs[ben].gpus: 'GPU-a' is taken by the lab ana"),
    ("all, of which one is taken", [lab("ben", "all")], {"found": has(lab("ana", "GPU-b"))},
     "labs[ben].gpus: 'GPU-b' is taken by the lab ana: GPU-a is free"),
    ("too many", [lab("ana", "1"), lab("ben", "2")], {},
     "labs[ben].gpus: 2 is more than can be had: GPU-a is taken by the lab ana; GPU-b is free, or share them "
     "(gpus_shared: true in all these labs)."),
    ("none is left", [lab("ana", "2"), lab("ben", "1")], {}, "is taken by the lab ana; none is free: take one away"),
    ("a container of others", [lab("ana", "2")], {"others": [STRANGER]}, "GPU-a is taken by the container train"),
    ("more than there are", [lab("ana", "3")], {},
     "3 is more than this host has: GPU-a (NVIDIA L4), GPU-b (NVIDIA L4)."),
    ("one that is not here", [lab("ana", "GPU-x")], {},
     "'GPU-x' is no GPU of this host, which has GPU-a (NVIDIA L4), "),
    ("one that is cut", [lab("ana", "GPU-d")], {"devices": CUT},
     "'GPU-d' is cut into parts: name some of MIG-1, MIG-2."),
    ("no driver, a number", [lab("ana", "1")], {"devices": ()}, "labs[ana].gpus: '1' is not to be had, as no driver"),
    ("no driver, all", [lab("ana", "all")], {"devices": ()}, "'all' is not to be had, as no driver shows a GPU"),
    ("no driver, a name", [lab("ana", "GPU-a")], {"devices": ()}, "'GPU-a' is not to be had, as no driver shows"),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "more", "said"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_not_to_be_had_is_refused_by_whose_it_is(wanted, more, said):
    with pytest.raises(InvalidInput) as refusal:
        given(*wanted, **more)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("host", "env", "names"),
    [
        ({"DeviceRequests": [{"DeviceIDs": ["GPU-a", "1"], "Capabilities": [["gpu"]]}]}, [], ["GPU-a", "1"]),
        ({"DeviceRequests": [{"Count": -1, "DeviceIDs": None, "Capabilities": [["gpu"]]}]}, [], []),
        ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=GPU-a"]}]}, [], ["GPU-a"]),
        ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["vendor.com/net=0"]}]}, [], []),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES=0,GPU-b"], ["0", "GPU-b"]),
        ({"Runtime": "nvidia"}, ["NVIDIA_VISIBLE_DEVICES=all"], ["all"]),
        ({"Runtime": "runc"}, ["NVIDIA_VISIBLE_DEVICES=GPU-a"], []),
        ({}, [], []),
    ],
)
def test_what_a_container_names(host, env, names):
    assert _container.gpus_of({"HostConfig": host, "Config": {"Env": env}}) == names


@pytest.mark.parametrize(
    ("names", "uuids"),
    [(["GPU-a"], ["GPU-a"]), (["1"], ["GPU-b"]), (["3"], ["MIG-1", "MIG-2"]), (["3:1"], ["MIG-2"]), (["all"], []),
     (["GPU-d"], ["MIG-1", "MIG-2"]), (["MIG-1"], ["MIG-1"]), (["GPU-x", "7"], [])],
)  # fmt: skip
def test_names_are_told_by_uuid(names, uuids):
    assert _gpus.uuids_of(names, (*HOST, *CUT)) == uuids


def plans(*pairs):
    return [plan_lab(wanted, found_as(there) if there else None) for wanted, there in pairs]


def test_another_gpu_makes_a_new_container():
    (plan,) = plans((lab("ana", "GPU-b"), lab("ana", "GPU-a")))
    assert [(step.action, step.ends_processes) for step in plan.steps] == [("replace", True)]
    (plan,) = plans((replace(lab("ana", "GPU-a"), gpus_shared=True), lab("ana", "GPU-a")))
    assert [step.action for step in plan.steps] == ["replace"]
