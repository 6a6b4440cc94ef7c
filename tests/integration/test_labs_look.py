"""The action plugin of the module labs: where all is as declared it says what the module would, and sends no module."""

from __future__ import annotations

import json
import re

import pytest

TASK = {"name": "Labs", "register": "told"}
SENT = re.compile("Using module file .*/plugins/modules/labs.py")
TELL = {"ansible.builtin.copy": {"content": "{{ told | to_json }}", "dest": "{{ output }}"}, "check_mode": False}


@pytest.fixture
def told(host, playbook):
    """What a task in a playbook returns for labs of this machine."""

    def run(*labs, arguments=(), **options):
        ours = {"state_dir": str(host.path / "state"), "work_root": str(host.path / "work")}
        task = {**TASK, "myjupyter.fleet.labs": {"labs": labs, "first_port": host.first_port, **ours, **options}}
        variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "output": str(host.path / "told")}
        play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables}
        (host.path / "play.json").write_text(json.dumps([{**play, "tasks": [task, TELL]}]))
        said = playbook(host.path / "play.json", "-vvv", *arguments).stdout
        return {**json.loads((host.path / "told").read_text()), "by_module": bool(SENT.search(said))}

    return run


def told_of_labs(result):
    return {key: result[key] for key in ("changed", "steps", "deferred", "labs")}


@pytest.mark.parametrize("arguments", [(), ("--check",), ("--diff",)], ids=["run", "check", "diff"])
def test_it_says_what_the_module_says(host, told, arguments):
    labs = [host.lab(memory="512m"), host.lab("b", state="stopped"), host.lab("c", state="absent")]
    assert told(*labs)["by_module"]
    looked, module = told(*labs, arguments=arguments), host.labs(*labs, check="--check" in arguments)
    assert not looked["by_module"] and not looked["changed"]
    assert told_of_labs(looked) == told_of_labs(module)
    assert looked.get("diff") == (module["diff"] if "--diff" in arguments else None)


def test_what_is_to_be_done_is_done_by_the_module(host, told):
    told(host.lab())
    changed = told(host.lab(memory="512m"))
    assert changed["by_module"] and [step["action"] for step in changed["steps"]] == ["update"]
    assert told(host.lab(memory="512m"), host.lab("b"), arguments=["--check"])["changed"]


def test_a_lab_that_is_declared_otherwise_but_is_the_same_is_remembered_so(host, told):
    told(host.lab())
    for path in (host.path / "state").glob("declared/*"):
        path.unlink()
    assert not told(host.lab(), arguments=["--check"])["by_module"] and not list(host.path.glob("state/declared/*"))
    assert not told(host.lab())["by_module"] and list(host.path.glob("state/declared/*"))


def test_what_is_refused_is_said_by_the_module(host, told):
    with pytest.raises(AssertionError, match="labs.name: 'x' is no name for a container"):
        told({"name": "x"})
    with pytest.raises(AssertionError, match="No Docker Engine listens at /no/such.sock"):
        told(host.lab(), docker_host="unix:///no/such.sock")


def test_a_token_that_was_given_is_shown_nowhere(host, told):
    lab = host.lab(token="a-token-of-mine")
    told(lab)
    looked = told(lab, show_tokens=True)
    assert not looked["by_module"] and "a-token-of-mine" not in json.dumps(looked)
    assert told(host.lab("b"), show_tokens=True)["labs"][0]["url"].endswith(host.token("b"))
    assert told(host.lab("b"), show_tokens=True)["labs"][0]["url"].endswith(host.token("b"))


def test_paths_that_only_the_host_can_tell_are_left_to_it(host, told, monkeypatch):
    monkeypatch.setenv("LABS_STATE", str(host.path / "state"))
    told(host.lab())
    again = told(host.lab(), state_dir="$LABS_STATE")
    assert again["by_module"] and not again["changed"]


def test_without_pipelining_too(host, told, monkeypatch):
    monkeypatch.setenv("ANSIBLE_PIPELINING", "false")
    told(host.lab())
    again = told(host.lab())
    assert not again["by_module"] and again["labs"][0]["name"] == host.name()
