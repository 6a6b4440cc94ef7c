"""From found to wanted, in tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._container import Found
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._lab import Lab
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._plan import (
    Step,
    Taken,
    assign_ports,
    by_name,
    difference_of,
    plan_lab,
    plan_purge,
)

LAB = Lab(name="ana", port=10000, work_dir="/w/ana", owner="1000:100", image_digest="i1", token_digest="t1")


def found(lab=LAB, status="running", name=None):
    return Found(
        lab=replace(lab, state="started" if status == "running" else "stopped"), container="c", name=name or lab.name,
        status=status, health="", started_at="", restarts=0, networks={"bridge": "1"}, as_created=lab,
    )  # fmt: skip


def steps(wanted, there):
    return [(step.action, step.ends_processes) for step in plan_lab(wanted, there).steps]


def test_mounts_are_the_same_in_whichever_order():
    def mounts(*paths):
        return [{"source": f"/data/{path}", "target": f"/mnt/{path}", "read_only": True} for path in paths]

    assert steps(replace(LAB, mounts=mounts("a/", "b")), found(replace(LAB, mounts=mounts("b", "a")))) == []
    assert steps(replace(LAB, mounts=mounts("a")), found(replace(LAB, mounts=mounts("b")))) == [("replace", True)]


LIMITED = replace(LAB, memory=2**30)
TABLE = [
    ("nothing yet", LAB, None, [("create", False), ("start", False)]),
    ("nothing yet, stopped", replace(LAB, state="stopped"), None, [("create", False)]),
    ("as it should be", LAB, found(), []),
    ("new image", replace(LAB, image_digest="i2"), found(), [("replace", True)]),
    ("same image, other name", replace(LAB, image="alias"), found(), []),
    ("image not yet there", replace(LAB, image_digest=""), found(), [("replace", True)]),
    ("new token", replace(LAB, token_digest="t2"), found(), [("replace", True)]),
    ("new env", replace(LAB, env={"A": "b"}), found(), [("replace", True)]),
    ("new image, lab is down", replace(LAB, image_digest="i2"), found(status="exited"), [("replace", False)]),
    ("more memory", replace(LIMITED, memory=2**31), found(LIMITED), [("update", False)]),
    ("less memory", replace(LIMITED, memory=2**29), found(LIMITED), [("update", True)]),
    ("a first limit", LIMITED, found(), [("update", True)]),
    ("no limit any more", LAB, found(LIMITED), [("replace", True)]),
    ("less memory, is down", replace(LIMITED, memory=2**29), found(LIMITED, "exited"),
     [("update", False), ("start", False)]),
    ("restart policy", replace(LAB, restart_policy="always"), found(), [("update", False)]),
    ("networks", replace(LAB, networks=["n"]), found(), [("reconnect", False)]),
    ("is down", LAB, found(status="exited"), [("start", False)]),
    ("is paused", LAB, found(status="paused"), [("resume", False)]),
    ("to be stopped", replace(LAB, state="stopped"), found(), [("stop", True)]),
    ("is stopped", replace(LAB, state="stopped"), found(status="exited"), []),
    ("to be restarted", replace(LAB, state="restarted"), found(), [("restart", True)]),
    ("to be restarted, is down", replace(LAB, state="restarted"), found(status="exited"), [("start", False)]),
    ("restarted and changed", replace(LAB, state="restarted", env={"A": "b"}), found(), [("replace", True)]),
    ("to go", replace(LAB, state="absent"), found(), [("remove", True)]),
    ("to go, is down", replace(LAB, state="absent"), found(status="exited"), [("remove", False)]),
    ("gone", replace(LAB, state="absent"), None, []),
    ("ephemeral, stopped", replace(LAB, ephemeral=True, state="stopped"), found(), [("remove", True)]),
    ("put aside", LAB, found(status="exited", name="ana.previous"), [("put back", False), ("start", False)]),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "there", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_steps(wanted, there, expected):
    assert steps(wanted, there) == expected


def test_what_comes_first_comes_first():
    before = [Step("pull", "x"), Step("make work directory", "y")]
    assert [step.action for step in plan_lab(LAB, None, before).steps][:2] == ["pull", "make work directory"]


def test_leftovers_are_cleared_last():
    plan = plan_lab(replace(LAB, env={"A": "b"}), found(), (), (found(name="ana.previous"),))
    assert [step.action for step in plan.steps] == ["replace", "clear away"]


def test_by_name_tells_labs_from_leftovers():
    labs, leftovers = by_name([found(name="ana.next"), found(name="ana.previous"), found()])
    assert labs["ana"].name == "ana"
    assert {item.name for item in leftovers["ana"]} == {"ana.next", "ana.previous"}
    labs, leftovers = by_name([found(name="ana.previous"), found(name="ana.next")])
    assert labs["ana"].name == "ana.previous"
    assert [item.name for item in leftovers["ana"]] == ["ana.next"]


def test_reasons_name_what_changed():
    reason = plan_lab(replace(LIMITED, memory=2**31), found(LIMITED)).steps[0].reason
    assert reason == f"memory {2**30} -> {2**31}"
    assert plan_lab(replace(LAB, token_digest="t2"), found()).steps[0].reason == "token changed"


def test_deferred_is_not_changed_and_shows_no_difference():
    plan = plan_lab(replace(LAB, env={"A": "b"}), found())
    assert plan.changed and difference_of([plan])["after"]["ana"]["env"] == {"A": "b"}
    assert not plan.defer("busy").changed
    assert difference_of([plan.defer("busy")]) == {"before": {}, "after": {}}


def test_purge_removes():
    plan = plan_purge(found())
    assert [step.action for step in plan.steps] == ["remove"]
    assert difference_of([plan])["after"] == {}


def ports(wanted, there=None, taken=(), first=10000, going=()):
    return [lab.port for lab in assign_ports(wanted, there or {}, taken, first, going)]


AUTO = replace(LAB, port=0)


def test_a_lab_that_stays_down_holds_nobody_up():
    down = {"ana": replace(found(), status="exited")}
    stopped, other = replace(LAB, state="stopped"), replace(AUTO, name="ben")
    assert ports([stopped, other], down, [Taken(10000, "", "nginx")]) == [10000, 10001]
    with pytest.raises(InvalidInput, match="nginx"):
        ports([LAB, other], down, [Taken(10000, "", "nginx")])


def test_auto_takes_the_first_free_ports():
    assert ports([AUTO, replace(AUTO, name="ben")]) == [10000, 10001]
    assert ports([AUTO, replace(AUTO, name="ben", port=10000)]) == [10001, 10000]
    assert ports([AUTO], taken=[Taken(10000, "", "x")]) == [10001]
    assert ports([AUTO], there={"old": found(replace(LAB, name="old"))}) == [10001]


def test_auto_keeps_the_port_it_has():
    assert ports([AUTO], {"ana": found(replace(LAB, port=10007))}) == [10007]


def test_auto_takes_another_where_its_port_was_taken_while_it_was_down():
    down, nginx = {"ana": found(status="exited")}, [Taken(10000, "", "nginx")]
    assert ports([AUTO], down, nginx) == [10001]
    assert ports([replace(AUTO, state="stopped")], down, nginx) == [10000]
    assert ports([AUTO, replace(AUTO, name="ben")], {**down, "ben": found(replace(LAB, name="ben"))}) == [10001, 10000]


def test_no_port_left():
    with pytest.raises(InvalidInput, match="no free port"):
        ports([AUTO], taken=[Taken(65535, "", "x")], first=65535)


@pytest.mark.parametrize(
    ("address", "bind", "free"),
    [("", "127.0.0.1", False), ("127.0.0.1", "0.0.0.0", False), ("127.0.0.2", "127.0.0.1", True),
     ("127.0.0.1", "127.0.0.1", False)],
)  # fmt: skip
def test_a_taken_port_is_refused_by_whose_it_is(address, bind, free):
    lab, taken = replace(LAB, bind_address=bind), [Taken(10000, address, "the process nginx (42)")]
    if free:
        assert ports([lab], taken=taken) == [10000]
    else:
        with pytest.raises(InvalidInput, match=r"labs\[ana\].port.*10000.*nginx \(42\)"):
            ports([lab], taken=taken)


def test_a_port_of_an_undeclared_lab_is_refused():
    with pytest.raises(InvalidInput, match="the lab old"):
        ports([LAB], {"old": found(replace(LAB, name="old"))})


def test_an_absent_lab_needs_no_port():
    assert ports([replace(AUTO, state="absent")]) == [0]


def test_labs_that_go_free_their_ports():
    old = {"old": found(replace(LAB, name="old"))}
    assert ports([LAB], old, going={"old"}) == [10000]
    assert ports([LAB, replace(AUTO, name="old", state="absent")], old) == [10000, 10000]
    assert ports([AUTO], old, going={"old"}) == [10001], "who has no wish waits for nobody"


def test_who_gives_its_port_up_has_it_until_then():
    moving = replace(LAB, port=10005)
    assert ports([replace(AUTO, name="ben"), moving], {"ana": found()}) == [10001, 10005]
    assert ports([replace(LAB, name="ben"), moving], {"ana": found()}) == [10000, 10005]


@pytest.mark.parametrize("status", ["running", "exited"])
def test_a_port_that_another_lab_keeps_is_refused(status):
    for labs in ([AUTO, replace(LAB, name="ben")], [replace(LAB, name="ben"), AUTO]):
        with pytest.raises(InvalidInput, match=r"labs\[ben\].port: 10000 is taken by the lab ana"):
            ports(labs, {"ana": found(status=status)})


def test_of_two_labs_with_one_port_the_one_that_serves_keeps_it():
    there = {"ana": found(status="exited"), "ben": found(replace(LAB, name="ben"))}
    with pytest.raises(InvalidInput, match=r"labs\[ana\].port: 10000 is taken by the lab ben"):
        ports([LAB, replace(AUTO, name="ben")], there)


def test_a_port_at_another_address_is_free():
    assert ports([AUTO, replace(LAB, name="ben", bind_address="10.0.0.5")], {"ana": found()}) == [10000, 10000]
