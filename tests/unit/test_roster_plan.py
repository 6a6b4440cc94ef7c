"""Who is where: those who are there stay, new ones go where room is, and what cannot be is refused."""

from __future__ import annotations

import random

import pytest

from ansible_collections.myjupyter.fleet.plugins.plugin_utils._placement import DoesNotFit
from ansible_collections.myjupyter.fleet.plugins.plugin_utils._roster_plan import Fleet, plan

G = 2**30
TODAY = "2026-06-15"


def person(name, memory=2, **more):
    one = {"person": name.title(), "lab": name, "at": f"class.csv line {name}", "group": "", "image": "", "cpus": None,
           "gpus": None, "until": "", "memory": memory * G if memory else None}  # fmt: skip
    return {**one, **more}


def lab(name, memory=2, roster="class", gpus=(), busy=False):
    return {"name": name, "roster": roster, "memory": memory * G, "gpus": list(gpus), "running": True, "busy": busy,
            "url": ""}  # fmt: skip


def host(*labs, memory=8, gpus=0, cpus=4, works=(), archives=(), placement=None, **defaults):
    return {
        "capacity": {"memory": memory * G, "cpus": cpus, "gpus": gpus},
        "defaults": {"memory": 2 * G, "gpus": [], "labels": {}, "bind_address": "0.0.0.0", **defaults},
        "labs": list(labs),
        "works": [*works, *(one["name"] for one in labs if one["roster"] == "class")],
        "archives": list(archives),
        "placement": placement or {},
    }


def kept(number=1, **places):
    return {"number": number, "people": {name: {"host": at, "person": name.title()} for name, at in places.items()}}


def planned(people, said, remembered=None, hosts=None, groups=None, forget=(), many=False):
    everywhere = hosts or sorted(said)
    groups = {"all": everywhere, **(groups or {})}
    people = [person(one) if isinstance(one, str) else one for one in people]
    return plan(people, Fleet(said, groups, everywhere, forget), "class", TODAY, remembered or {}, many)


def where(result):
    return {one["lab"]: one["host"] for one in result["people"]}


def refusal(*arguments, **options):
    with pytest.raises(DoesNotFit) as told:
        planned(*arguments, **options)
    return str(told.value)


def test_new_people_are_spread_by_what_hosts_have():
    said = {"a": host(memory=8), "b": host(memory=16)}
    assert sorted(where(planned("pqrstu", said)).values()) == ["a", "a", "b", "b", "b", "b"]


@pytest.mark.parametrize("seed", range(20))
def test_adding_hosts_and_people_moves_nobody(seed):
    chance = random.Random(seed)
    said = {f"h{number}": host(memory=chance.randint(20, 60)) for number in range(4)}
    names = [f"p{number}" for number in range(40)]
    chance.shuffle(names)
    people = [person(name, memory=chance.choice([1, 2, 3])) for name in names[:30]]
    first = planned(people, said)
    there = where(first)
    after = {name: host(*(lab(one["lab"], one["memory"] // G) for one in people if there[one["lab"]] == name),
                        memory=said[name]["capacity"]["memory"] // G) for name in said}  # fmt: skip
    after["h00"] = host(memory=200)
    people += [person(name) for name in names[30:]]
    chance.shuffle(people)
    second = planned(people, after, first["placement"])
    assert {name: where(second)[name] for name in there} == there
    assert set(where(second).values()) >= {"h00"}
    assert planned(people, after, {})["hosts"].keys() == after.keys(), "and without what was remembered"
    assert {name: where(planned(people, after, {}))[name] for name in there} == there


def test_a_second_plan_is_the_first():
    first = planned(["ana", "ben"], {"a": host(), "b": host()})
    assert first["placement"]["number"] == 1
    at = where(first)
    said = {name: host(*(lab(one) for one in at if at[one] == name), placement=first["placement"]) for name in "ab"}
    again = planned(["ana", "ben"], said, first["placement"])
    assert again["placement"] == first["placement"]
    assert [again["hosts"][name]["labs"] for name in "ab"] == [first["hosts"][name]["labs"] for name in "ab"]


def test_what_a_lab_is_declared_as():
    said = {"a": host(labels={"course": "math"})}
    people = [person("ana", memory=None, image="own", cpus=1.5, gpus=0, until="2026-06-15")]
    (declared,) = planned(people, said)["hosts"]["a"]["labs"]
    assert declared == {
        "name": "ana", "work_dir": "class/ana", "memory": str(2 * G), "image": "own", "cpus": 1.5, "gpus": [],
        "labels": {"course": "math", "fleet.myjupyter.roster": "class"},
    }  # fmt: skip


class TestWhereSomebodyIs:
    """From what is found, what is remembered here, on the hosts, and from the work."""

    def test_a_silent_host_keeps_its_people(self):
        result = planned(["ana", "ben"], {"b": host()}, kept(ana="a"), hosts=["a", "b"])
        assert where(result) == {"ana": "a", "ben": "b"}
        assert "a was not reached: ana stay there as they are." in result["notes"]
        assert set(result["hosts"]) == {"b"}

    def test_the_controllers_file_is_lost(self):
        said = {"a": host(lab("ana")), "b": host(memory=100)}
        assert where(planned(["ana"], said)) == {"ana": "a"}

    def test_the_file_is_lost_and_a_host_is_silent_so_another_tells(self):
        said = {"b": host(lab("ben"), placement=kept(ana="a", ben="b")), "c": host(memory=100)}
        result = planned(["ana", "ben", "chi"], said, hosts=["a", "b", "c"])
        assert where(result) == {"ana": "a", "ben": "b", "chi": "c"}

    def test_the_newest_memory_counts(self):
        said = {"b": host(placement=kept(number=3, ana="a")), "c": host(placement=kept(number=1, ana="c"))}
        result = planned(["ana"], said, kept(number=2, ana="x"), hosts=["a", "b", "c"])
        assert where(result) == {"ana": "a"} and result["placement"]["number"] == 3

    def test_all_is_lost_and_a_host_is_silent(self):
        said = {"b": host(lab("ben"))}
        told = refusal(["ana", "ben"], said, hosts=["a", "b"])
        assert told.startswith("a does not answer, and what was remembered of this roster is lost: ana may be there.")
        assert where(planned(["ana", "ben"], said, hosts=["a", "b"], forget=["a"])) == {"ana": "b", "ben": "b"}

    def test_a_first_run_does_not_wait_for_a_silent_host(self):
        assert where(planned(["ana"], {"b": host()}, hosts=["a", "b"])) == {"ana": "b"}

    def test_what_was_planned_and_never_made_is_planned_anew(self):
        assert where(planned(["ana"], {"a": host(memory=1), "b": host()}, kept(ana="a"))) == {"ana": "b"}

    def test_work_and_archives_tell_where_somebody_was(self):
        for trace in ({"works": ["ana"]}, {"archives": ["ana"]}):
            assert where(planned(["ana"], {"a": host(memory=100), "b": host(**trace)})) == {"ana": "b"}

    def test_directories_of_nobody_are_left_alone(self):
        result = planned(["ana"], {"a": host(works=["shared"]), "b": host(works=["shared", "slides"])})
        assert list(where(result)) == ["ana"] and list(result["placement"]["people"]) == ["ana"]
        assert all(told["archive"] == [] for told in result["hosts"].values())

    def test_a_container_counts_more_than_memory_and_work(self):
        said = {"a": host(works=["ana"]), "b": host(lab("ana"))}
        assert where(planned(["ana"], said, kept(ana="a"))) == {"ana": "b"}

    def test_two_labs_of_one_person(self):
        said = {"a": host(lab("ana")), "b": host(lab("ana"))}
        assert "ana has a lab on a and b, and nothing remembers which is right" in refusal(["ana"], said)
        assert where(planned(["ana"], said, kept(ana="b"))) == {"ana": "b"}

    def test_a_host_that_left_the_inventory(self):
        told = refusal(["ana"], {"b": host()}, kept(ana="a"))
        assert told.startswith("a is no longer in the inventory, and has the work of ana: put it back")
        assert where(planned(["ana"], {"b": host()}, kept(ana="a"), forget=["a"])) == {"ana": "b"}

    def test_a_host_that_was_given_up_and_came_back(self):
        result = planned(["ana"], {"a": host(lab("ana", 8)), "b": host(lab("ana"))}, kept(ana="b"))
        assert where(result) == {"ana": "b"} and result["hosts"]["a"]["labs"] == result["hosts"]["a"]["leave"] == []
        assert result["notes"][0].startswith("a has another lab ana, whose person is on b: it is left as it is")
        said = {"a": host(lab("ana", 8)), "b": host(lab("ana", 8))}
        assert "fits nowhere; free: a 0 of 8g, b 0 of 8g." in refusal([person("ana", 8), "ben"], said, kept(ana="b"))

    def test_another_group_moves_nobody(self):
        said, groups = {"a": host(lab("ana")), "b": host()}, {"new": ["b"]}
        assert where(planned([person("ana", group="new")], said, groups=groups)) == {"ana": "a"}


class TestRoom:
    def test_groups_choose_hosts(self):
        groups = {"gpu": ["b", "z"]}
        result = planned([person("ana", group="gpu")], {"a": host(memory=64), "b": host()}, groups=groups)
        assert where(result) == {"ana": "b"}

    def test_who_does_not_fit_is_told_with_what_is_free(self):
        said = {"a": host(lab("chi", 6), memory=8), "b": host(memory=4, gpus=2)}
        told = refusal([person("ana", 6, gpus=1), person("chi", 6)], said)
        assert told == (
            "Ana (class.csv line ana) needs 6g and 1 GPU and fits nowhere; free: a 2g of 8g, "
            "b 4g of 4g and 2 of 2 GPUs."
        )

    def test_everyone_who_does_not_fit_is_told(self):
        told = refusal([person("ana", 9), person("ben", 9), person("chi", 1)], {"a": host()})
        assert [line.split()[0] for line in told.splitlines()] == ["Ana", "Ben"]

    def test_labs_of_others_count(self):
        said = {"a": host(lab("x", 7, roster="")), "b": host(lab("y", 7, roster="other"))}
        assert "free: a 1g of 8g, b 1g of 8g." in refusal(["ana"], said)

    def test_gpus_are_for_one_lab_each(self):
        said = {"a": host(lab("x", 0, roster="", gpus=["GPU-1"]), gpus=2, memory=64), "b": host(gpus=1, memory=64)}
        people = [person("ana", gpus=1), person("ben", gpus=1)]
        assert sorted(where(planned(people, said)).values()) == ["a", "b"]
        assert "0 of 2 GPUs" in refusal([*people, person("chi", gpus=1)], said)
        said["a"]["labs"][0]["gpus"] = ["all"]
        assert "fits nowhere" in refusal(people, said)

    def test_what_a_host_gives_by_default_counts(self):
        said = {"a": host(gpus=2, memory=64), "b": host(memory=2)}
        said["a"]["defaults"].update({"gpus": ["2"], "memory": 4 * G})
        result = planned([person("ana", memory=None), person("ben", memory=None)], said)
        assert sorted(where(result).values()) == ["a", "b"]
        assert "fits nowhere" in refusal([person(name, memory=None) for name in ("ana", "ben", "chi")], said)
        assert [result["hosts"][name]["labs"][0]["memory"] for name in "ab"] == [str(4 * G), str(2 * G)]

    def test_packed_where_spreading_leaves_somebody_out(self):
        people = [person(name, memory) for name, memory in zip("pqrs", [8, 7, 5, 2])]
        assert where(planned(people, {"a": host(memory=12), "b": host(memory=10)})) == {
            "p": "b", "q": "a", "r": "a", "s": "b",
        }  # fmt: skip

    def test_more_memory_only_where_the_lab_is(self):
        said = {"a": host(lab("ana", 2), lab("ben", 4)), "b": host(memory=64)}
        assert where(planned([person("ana", 4), person("ben", 4)], said)) == {"ana": "a", "ben": "a"}
        told = refusal([person("ana", 5), person("ben", 4)], said)
        assert told.startswith("Ana (class.csv line ana) needs 5g, and is on a, where so much is not free: a 4g of 8g.")

    def test_who_is_there_stays_on_a_host_that_became_too_small(self):
        said = {"a": host(lab("ana", 8), memory=4), "b": host()}
        assert where(planned([person("ana", 8), "ben"], said)) == {"ana": "a", "ben": "b"}

    def test_a_lab_that_is_too_busy_to_go_keeps_its_room(self):
        assert where(planned([person("ana", 8)], {"a": host(lab("old", 8))})) == {"ana": "a"}
        assert "fits nowhere" in refusal([person("ana", 8)], {"a": host(lab("old", 8, busy=True))})

    def test_a_group_of_which_no_host_answers_has_to_wait(self):
        result = planned([person("ana", group="g"), "ben"], {"b": host()}, hosts=["a", "b"], groups={"g": ["a"]})
        assert where(result) == {"ana": "", "ben": "b"}
        assert "ana has no host yet, as a does not answer: run again when it does." in result["notes"]
        assert set(result["placement"]["people"]) == {"ben"}


class TestLeaving:
    def test_the_lab_goes_and_the_work_is_archived(self):
        said = {"a": host(lab("ana"), lab("ben"))}
        here = planned(["ana"], said, kept(ana="a", ben="a"))["hosts"]["a"]
        assert [one["name"] for one in here["labs"]] == ["ana"]
        (leaves,) = here["leave"]
        assert (leaves["name"], leaves["state"]) == ("ben", "absent")
        assert (here["archive"], here["restore"]) == (["ben"], [])

    def test_until_is_the_last_day(self):
        people = [person("ana", until=TODAY), person("ben", until="2026-06-14")]
        here = planned(people, {"a": host(lab("ana"), lab("ben"))})["hosts"]["a"]
        assert [one["name"] for one in here["labs"]] == ["ana"] and here["archive"] == ["ben"]

    def test_whose_last_day_has_passed_needs_no_group(self):
        assert planned([person("ana", group="gone", until="2026-01-01")], {"a": host()})["people"] == []

    def test_it_is_remembered_where_the_work_of_those_is_who_left(self):
        said = {"a": host(lab("ana"), works=["ben"])}
        result = planned(["ana"], said, kept(ana="a", ben="a"))
        assert result["placement"]["people"]["ben"] == {"host": "a", "person": "Ben"}
        assert result["hosts"]["a"]["leave"] == [] and result["hosts"]["a"]["archive"] == ["ben"]

    def test_who_left_while_the_host_was_silent_goes_later(self):
        result = planned(["ana"], {"b": host()}, kept(ben="a"), hosts=["a", "b"])
        assert result["placement"]["people"]["ben"]["host"] == "a"
        assert not [note for note in result["notes"] if "ben" in note]

    def test_who_comes_back_goes_to_the_work(self):
        said = {"a": host(works=["ana"]), "b": host(archives=["ben"], memory=100)}
        result = planned(["ana", "ben"], said, kept(ana="a", ben="b"))
        assert where(result) == {"ana": "a", "ben": "b"}
        assert [result["hosts"][name]["restore"] for name in "ab"] == [[], ["ben"]]

    def test_a_wrong_file_takes_nothing_away(self):
        labs = [lab(f"p{number}", 1) for number in range(8)]
        told = refusal(["ana"], {"a": host(*labs, memory=64)})
        assert told.startswith("8 of 8 labs would go") and "jupyter_roster_many_may_leave=true" in told
        result = planned(["ana"], {"a": host(*labs, memory=64)}, many=True)
        assert len(result["hosts"]["a"]["leave"]) == 8
        ended = [person(f"p{number}", until="2026-01-01") for number in range(8)]
        assert len(planned(ended, {"a": host(*labs, memory=64)})["hosts"]["a"]["leave"]) == 8


@pytest.mark.parametrize(
    "people, said, sentence",
    [
        ([person("ana", group="gpus")], {"a": host()},
         "class.csv line ana: group 'gpus' is no group of the inventory: empty, gpu."),
        ([person("ana", group="empty")], {"a": host()}, "class.csv line ana: group 'empty' has no hosts in this play"),
        (["ana"], {"a": host(lab("ana", roster=""))},
         "class.csv line ana: 'Ana' becomes the lab ana, which a has already, declared elsewhere: give another name"),
        (["ana"], {"a": host(lab("ana", roster="math"))}, "which a has already, of the roster math: give another name"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant(people, said, sentence):
    assert sentence in refusal(people, said, groups={"gpu": ["a"], "empty": []})


def test_labs_that_only_their_host_can_reach_are_told_of():
    assert "listen on 127.0.0.1 only" in planned(["ana"], {"a": host(bind_address="")})["notes"][0]
