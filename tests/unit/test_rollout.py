"""A roll-out's order, its stop and its words."""

from __future__ import annotations

import pytest

from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _rollout

LABS = {"gpu1": [], "gpu2": ["ana"], "gpu3": ["ben"]}


def plan(labs=None, everybody=("gpu1", "gpu2", "gpu3"), **options):
    return _rollout.plan(labs or LABS, everybody, **options)


@pytest.mark.parametrize(
    "options, order, serial",
    [
        ({}, ["gpu2", "gpu1", "gpu3"], [1, "10%", "30%", "100%"]),
        ({"canary": "gpu3"}, ["gpu3", "gpu1", "gpu2"], [1, "10%", "30%", "100%"]),
        ({"canary": "gpu3, gpu1", "waves": "1,50%"}, ["gpu3", "gpu1", "gpu2"], [2, "1", "50%"]),
        ({"canary": ["gpu1"], "waves": [2]}, ["gpu1", "gpu2", "gpu3"], [1, "2"]),
        ({"canary": "gpu2,gpu2"}, ["gpu2", "gpu1", "gpu3"], [1, "10%", "30%", "100%"]),
        ({"waves": 5}, ["gpu2", "gpu1", "gpu3"], [1, "5"]),
    ],
)
def test_the_canary_goes_first(options, order, serial):
    said = plan(**{"waves": _rollout.DEFAULT_WAVES, **options})
    assert (said["order"], said["serial"]) == (order, serial)


def test_a_host_without_labs_shows_nothing_unless_there_is_no_other():
    assert plan({"gpu1": [], "gpu2": []})["canary"] == ["gpu1"]


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"canary": 9}, "upgrade_canary: '9' is none of this run's hosts"),
        ({"canary": "gpu9"}, "upgrade_canary: 'gpu9' is none of this run's hosts, gpu1, gpu2, gpu3."),
        ({"labs": {"gpu1": []}, "canary": "gpu2"}, "upgrade_canary: 'gpu2' was lost before its labs"),
        ({"waves": "10%,many"}, "upgrade_waves: 'many' should be a number of hosts or a share such as 10%."),
        ({"waves": [0]}, "upgrade_waves: '0' should be"),
        ({"waves": ["120%"]}, "upgrade_waves: '120%' should be"),
        ({"limit": "some"}, "upgrade_max_fail_percentage: 'some' should be a number from 0 to 100."),
        ({"limit": 101}, "upgrade_max_fail_percentage: 101 should be a number from 0 to 100."),
    ],
)
def test_what_cannot_be_meant_is_refused(options, sentence):
    with pytest.raises(_rollout.WrongRollout) as refused:
        plan(**options)
    assert str(refused.value).startswith(sentence)


def moved(*names, **others):
    return {"labs": [{"name": name, "changed": True, "failed": False} for name in names], "deferred": [], **others}


STILL = {"labs": [{"name": "ana", "changed": False, "failed": False}], "deferred": []}
BUSY = {"labs": [], "deferred": [{"lab": "ben", "reason": "a kernel is executing: x.ipynb"}]}
FAILED = moved("ana", failed={"msg": "ben would not."})
TURNS = {"failed": {"msg": "One or more items failed", "results": [{"msg": "fine"}, {"failed": True, "msg": "cell 3"}]}}


def report(came, wave, to="declared", check=False, **options):
    return _rollout.report(plan(**options), came, wave, to, check)


def test_lines_tell_all():
    said = report({"gpu2": moved("ana", "chi"), "gpu1": STILL, "gpu3": BUSY}, ["gpu1", "gpu3"])
    assert not said["stop"]
    assert said["lines"] == [
        "moved: gpu2: ana, chi",
        "nothing to move: gpu1",
        "left for later, because busy: gpu3: ben (a kernel is executing: x.ipynb)",
        "Run again when these kernels are done: it moves what is left.",
    ]


@pytest.mark.parametrize(
    "wave, limit, stop",
    [
        (["gpu2"], 100, True),  # the canary
        (["gpu3", "gpu1"], 0, True),
        (["gpu3", "gpu1"], 49, True),
        (["gpu3", "gpu1"], 50, False),
        (["gpu1"], 0, False),
        (["gpu3"], 100, True),  # as a whole
        (["gpu3", "gpu1"], 100, False),
    ],
)
def test_a_share_stops_it(wave, limit, stop):
    came = {"gpu2": FAILED if "gpu2" in wave else STILL, "gpu3": FAILED, "gpu1": STILL}
    said = report({host: about for host, about in came.items() if host == "gpu2" or host in wave}, wave, limit=limit)
    assert said["stop"] == stop and ("Stopped" in said["lines"][-1]) == stop


def test_a_stop_names_those_that_were_not_begun():
    said = report({"gpu2": FAILED}, ["gpu2"])
    assert said["lines"][:3] == [
        "moved: gpu2: ana",
        "failed: gpu2: ben would not.",
        "not begun, and as they were: gpu1, gpu3",
    ]
    assert said["lines"][3].startswith("Stopped, because 1 of 1 in this wave (the canary) failed.")
    assert said["reasons"] == {"gpu2": "ben would not."}


def test_on_its_way_it_says_who_is_to_come():
    assert report({"gpu2": moved("ana")}, ["gpu2"])["lines"][-1] == "to come: gpu1, gpu3"


@pytest.mark.parametrize(
    "failed, reason",
    [
        ({"unreachable": True, "msg": "no route "}, "unreachable: no route"),
        (TURNS["failed"], "cell 3"),
        ({"msg": "why"}, "why"),
    ],
)
def test_a_reason_is_the_tasks_own(failed, reason):
    assert report({"gpu2": {"failed": failed}}, ["gpu2"])["reasons"] == {"gpu2": reason}


@pytest.mark.parametrize(
    "came, options, last",
    [
        (STILL, {}, "All hosts have what is declared."),
        (STILL, {"to": "previous"}, "Now declare what the labs run on"),
        (FAILED, {"limit": 100}, "Set right what failed and run again"),
        (moved("ana"), {"check": True}, "This was a check: nothing was changed."),
    ],
)
def test_the_end_says_what_to_do_next(came, options, last):
    everybody = {"gpu2": STILL, "gpu1": STILL, "gpu3": came}
    assert report(everybody, ["gpu1", "gpu3"], **options)["lines"][-1].startswith(last)


def test_a_host_that_was_lost_early_is_told_of():
    said = report({"gpu2": STILL}, ["gpu2"], labs={"gpu2": ["ana"]}, everybody=["gpu1", "gpu2"])
    assert said["lines"][1:] == [
        "failed: gpu1: before its labs, as is said above",
        "Set right what failed and run again: it catches up.",
    ]
