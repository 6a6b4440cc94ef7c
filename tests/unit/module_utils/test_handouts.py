"""What people get into their hands, and what a host has to give."""

from __future__ import annotations

import csv
import io

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils._errors import InvalidInput
from ansible_collections.myjupyter.fleet.plugins.module_utils.roster import _capacity, _handouts
from ansible_collections.myjupyter.fleet.plugins.module_utils.roster._handouts import Person

ADDRESS = "http://gpu1.example.edu:10000/lab?token=0123abcd"
ANA = Person("Ana", "ana", "gpu1", ADDRESS, "2026-12-31")


def test_everybody_has_a_text_and_all_are_on_the_sheets():
    files = _handouts.handouts("class", [ANA, Person("Ben", "ben", "gpu2")])
    assert sorted(files) == ["ana.txt", "sheet.csv", "sheet.html"], "Ben has no address yet"
    assert ADDRESS in files["ana.txt"] and "\n    0123abcd\n" in files["ana.txt"] and "2026-12-31" in files["ana.txt"]
    head, ana, ben = csv.reader(io.StringIO(files["sheet.csv"].removeprefix("\ufeff")))
    assert head == ["person", "lab", "host", "address", "token", "until"]
    assert ana == ["Ana", "ana", "gpu1", ADDRESS, "0123abcd", "2026-12-31"] and ben[3:] == ["", "", ""]
    assert "not running yet" in files["sheet.html"] and f'href="{ADDRESS}"' in files["sheet.html"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(text):
    sheet = _handouts.handouts("class", [Person(text, "lab", text, "", text)])["sheet.csv"]
    row = list(csv.reader(io.StringIO(sheet.removeprefix("\ufeff"), newline="")))[1]
    assert [row[0], row[2], row[5]] == [f"'{text}"] * 3


def test_the_sheet_is_one_page_that_trusts_nothing_and_needs_nothing():
    bad = "<script>alert(1)</script>\"'"
    page = _handouts.handouts(bad, [Person(bad, bad, bad, f"javascript:{bad}", bad)])["sheet.html"]
    assert "<script" not in page and "href" not in page
    assert "http" not in page.replace("http-equiv", "") and "src=" not in page
    assert "@page" in page and "break-inside: avoid" in page


def test_who_is_on_a_silent_host_keeps_the_address():
    before = _handouts.index_of([ANA])
    one = {"person": "Ana", "lab": "ana", "host": "gpu1", "address": "", "until": ""}
    assert _handouts.completed([one], before)[0].address == ADDRESS
    assert _handouts.completed([{**one, "host": "gpu2"}], before)[0].address == "", "it was another lab's"
    assert _handouts.completed([{**one, "address": "new"}], before)[0].address == "new"


HAS = _capacity.Capacity(memory=100 * 2**30, cpus=8, gpus=2)


@pytest.mark.parametrize(
    "said, reserve, memory, cpus, gpus",
    [
        ({}, "10%", 90, 8, 2),
        ({}, "4g", 96, 8, 2),
        ({}, "0", 100, 8, 2),
        ({"memory": "64g", "cpus": 4, "gpus": 0}, "", 64, 4, 0),
        ({"memory": "8g"}, "16g", 0, 8, 2),
    ],
)
def test_what_labs_may_have(said, reserve, memory, cpus, gpus):
    assert _capacity.usable(HAS, said, reserve) == _capacity.Capacity(memory * 2**30, cpus, gpus)


@pytest.mark.parametrize(
    "said, reserve, sentence",
    [
        ({"memory": "much"}, "", "capacity.memory: 'much' should be a size such as 512m or 64g."),
        ({"cpus": "few"}, "", "capacity.cpus: 'few' should be a number, 0 or above."),
        ({"gpus": -1}, "", "capacity.gpus: -1 should be a number, 0 or above."),
        ({"disk": "1t"}, "", "capacity: 'disk' is unknown: memory, cpus, gpus."),
        ({}, "100%", "reserve: '100%' should be a size such as 2g, or a share such as 10%."),
    ],
)
def test_capacities_that_cannot_be_meant(said, reserve, sentence):
    with pytest.raises(InvalidInput) as told:
        _capacity.usable(HAS, said, reserve)
    assert str(told.value) == sentence


def test_defaults_of_a_host():
    said = {"memory": "4g", "gpus": 1, "labels": {"a": 1}, "token": "secret-token"}
    told = _capacity.defaults_of(said, "2g")
    assert told == {"memory": 4 * 2**30, "gpus": ["1"], "labels": {"a": "1"}, "bind_address": ""}
    assert _capacity.defaults_of({}, "2g")["memory"] == 2 * 2**30
    with pytest.raises(InvalidInput, match="defaults.gpus: 'two' should be all"):
        _capacity.defaults_of({"gpus": "two"}, "2g")


def test_memory_of_the_machine():
    assert _capacity.memory_in("MemTotal:       24649584 kB\nMemFree: 1 kB\n") == 24649584 * 1024
