"""The line that closes a run on a host."""

from __future__ import annotations

import pytest

from ansible_collections.myjupyter.fleet.plugins.callback.summary import line


def labs(**told):
    said = {"changed", "deferred", "failed"}
    return {name: {"state": words.split()[0], **{word: word in words for word in said}} for name, words in told.items()}


@pytest.mark.parametrize(
    "told, trouble, said",
    [
        ({}, "", "0 labs run"),
        ({"ana": "started"}, "", "1 lab run"),
        ({"ben": "started changed", "ana": "started changed"}, "", "2 labs run, 2 changed (ana, ben)"),
        ({"ana": "started changed deferred", "ben": "stopped"}, "", "1 lab run, 1 deferred (ana)"),
        ({"ana": "absent changed"}, "", "0 labs run, 1 changed (ana)"),
        ({}, "unreachable", "unreachable"),
        ({"ana": "started"}, "failed", "failed, 1 lab run"),
        (
            {"ana": "started changed", "ben": "started changed failed"},
            "failed",
            "failed, 1 lab run, 1 changed (ana), 1 failed (ben)",
        ),
    ],
)
def test_what_became_of_a_hosts_labs(told, trouble, said):
    assert line(labs(**told), trouble) == said
