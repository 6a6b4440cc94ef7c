"""In whose turn each lab is changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab import _turns
from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._plan import plan_purge
from tests.unit.module_utils.test_gpus import SHARED, lab, plans
from tests.unit.module_utils.test_plan import found as found_as


def turns(these):
    return [[plan.wanted.name for plan in turn] for turn in _turns.in_turns(these)]


GIVES, GETS = (lab("ana"), lab("ana", "GPU-a")), (lab("ben", "GPU-a"), None)


def test_who_gives_up_a_gpu_goes_before_who_gets_it():
    assert turns(plans(GETS, GIVES)) == [["ana"], ["ben"]]
    assert turns([*plans(GETS), plan_purge(found_as(lab("old", "GPU-a")))]) == [["old"], ["ben"]]
    assert turns(plans((lab("chi"), None), GIVES)) == [["chi", "ana"]], "the others all at once"
    chain = plans((lab("chi", "GPU-b"), None), (lab("ben", "GPU-a"), lab("ben", "GPU-b")), GIVES)
    assert turns(chain) == [["ana"], ["ben"], ["chi"]]


def test_nobody_waits_for_a_gpu_that_both_share():
    sharing = plans((lab("ben", "GPU-a", **SHARED), None), (lab("ana"), lab("ana", "GPU-a", **SHARED)))
    assert turns(sharing) == [["ben", "ana"]]


def test_an_exchange_is_refused():
    with pytest.raises(InvalidInput, match="is the lab ben's, which is to get its in exchange"):
        turns(plans((lab("ana", "GPU-b"), lab("ana", "GPU-a")), (lab("ben", "GPU-a"), lab("ben", "GPU-b"))))


def test_who_waits_for_a_lab_that_is_put_off_is_put_off():
    getting, giving, chi = plans(GETS, GIVES, (lab("chi"), None))
    judged = _turns.put_off_waiting([getting, giving.defer("busy"), chi])
    assert [plan.deferred for plan in judged] == ["its GPU is still that of ana", "busy", ""]
    assert _turns.put_off_waiting([getting, giving, chi]) == [getting, giving, chi]


PORT, WORK = {"port": 10000}, {"work_dir": "/w/a"}


@pytest.mark.parametrize(("has", "gets"), [(PORT, PORT), (WORK, WORK), (WORK, {"work_dir": "/w/a/b"})])
def test_who_gives_up_a_port_or_a_work_directory_goes_first(has, gets):
    newcomer = plans((lab("ben", **gets), None))
    assert turns([*newcomer, plan_purge(found_as(lab("old", **has)))]) == [["old"], ["ben"]]
    assert turns([*newcomer, *plans((lab("old", state="absent"), lab("old", **has)))]) == [["old"], ["ben"]]
    assert turns([*newcomer, *plans((lab("ana", port=1, work_dir="/w/x"), lab("ana", **has)))]) == [["ana"], ["ben"]]


def test_nobody_waits_for_a_port_at_another_address_or_of_a_lab_that_is_down():
    (newcomer,) = plans((lab("ben", **PORT), None))
    old = lab("old", **PORT)
    assert turns([newcomer, plan_purge(found_as(replace(old, bind_address="10.0.0.5")))]) == [["ben", "old"]]
    assert turns([newcomer, plan_purge(found_as(old, status="exited"))]) == [["ben", "old"]]


def test_an_exchange_of_ports_is_refused():
    ana, ben = lab("ana", port=1), lab("ben", port=2)
    with pytest.raises(InvalidInput, match=r"labs\[ana\].port: 2 is the lab ben's.*in exchange: take the port from"):
        turns(plans((replace(ana, port=2), ana), (replace(ben, port=1), ben)))


def test_who_waits_for_a_port_is_put_off_by_whose_it_is():
    (newcomer,) = plans((lab("ben", **PORT), None))
    old = plan_purge(found_as(lab("old", **PORT)))
    assert _turns.put_off_waiting([newcomer, old.defer("busy")])[0].deferred == "its port is still that of old"
    assert _turns.in_the_way(newcomer, [newcomer, old], {"old"}) == "its port is still that of old"
    assert _turns.in_the_way(newcomer, [newcomer, old], ()) == ""
