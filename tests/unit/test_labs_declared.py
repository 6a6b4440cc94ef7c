"""Labs with what all of them share."""

from __future__ import annotations

import re

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.myjupyter.fleet.plugins.filter.labs_declared import labs_declared


def test_a_lab_wins_over_defaults_and_loses_to_overrides():
    labs = [{"name": "ana"}, {"name": "ben", "memory": "8g", "cpus": 1}]
    shared = {"memory": "4g"}
    assert labs_declared(labs, shared, {"cpus": 2}) == [
        {"name": "ana", "memory": "4g", "cpus": 2},
        {"name": "ben", "memory": "8g", "cpus": 2},
    ]
    assert labs_declared(None) == labs_declared([], None, None) == []


@pytest.mark.parametrize(
    "given, sentence",
    [
        ((["ana", "ben"],), "jupyter_labs: 'ana' should be a lab with its options, such as {name: ana}."),
        (([None],), "jupyter_labs: None should be a lab with its options, such as {name: ana}."),
        (("ana",), "jupyter_labs: 'ana' should be a list of labs, such as [{name: ana}]."),
        (({"name": "ana"},), "jupyter_labs: {'name': 'ana'} should be a list of labs"),
        ((7,), "jupyter_labs: 7 should be a list of labs"),
        (([], "4g"), "jupyter_labs_defaults: '4g' should be options of labs, such as memory: 4g."),
        (([], {}, ["x"]), "jupyter_labs_overrides: ['x'] should be options of labs"),
    ],
)
def test_what_is_no_list_of_labs_is_refused(given, sentence):
    with pytest.raises(AnsibleFilterError, match=re.escape(sentence)):
        labs_declared(*given)
