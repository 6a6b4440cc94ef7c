"""The playbooks, as a user runs them on one machine."""

from __future__ import annotations

import json
import re

import pytest

from tests import ROOT


@pytest.fixture
def inventory(host, base):
    """A lab of this machine with an image of its own, in an inventory as a user writes it."""
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "jupyter_base_name": base,
        "jupyter_image_name": host.name("image"),
        "jupyter_image_base": base,
        "jupyter_image_requirements": ["tabulate==0.9.0"],
        "jupyter_labs_work_root": str(host.path / "work"),
        "jupyter_labs_state_dir": str(host.path / "state"),
        "jupyter_labs_first_port": host.first_port,
        "jupyter_labs": [{"name": host.name(), "image": host.name("image")}],
    }
    path = host.path / "inventory.json"
    path.write_text(json.dumps({"all": {"hosts": {"localhost": variables}}}))
    yield path
    host.clean()
    for image in host.engine.images(host.name("image")):
        host.engine.remove_image(image["Id"], force=True)


def changed(done):
    return int(re.search(r"changed=(\d+)", done.stdout).group(1))


def test_site_status_down(host, inventory, playbook):
    assert changed(playbook("-i", inventory, "site.yml", "--check")) > 0
    assert not host.exists()
    done = playbook("-i", inventory, "site.yml")
    address = re.search(r"http://127\.0\.0\.1:\d+/lab\?token=\w+", done.stdout).group()
    assert address.endswith(host.token())
    server = host.server()
    assert server.execute(server.start_kernel(), "import tabulate; print(tabulate.__version__)") == "0.9.0\n"
    assert changed(playbook("-i", inventory, "site.yml")) == 0
    newer = ("-e", '{"jupyter_image_requirements": ["tabulate==0.8.10"]}')
    foretold = playbook("-i", inventory, "site.yml", "--check", *newer).stdout
    assert f"1 lab run, 1 changed ({host.name()})" in foretold, "its image will be another"
    foretold = playbook("-i", inventory, "playbooks/upgrade.yml", "--check", *newer).stdout
    assert f"localhost: {host.name()}" in foretold and "nothing to move" not in foretold
    assert changed(playbook("-i", inventory, "site.yml", "--check")) == 0

    shown = playbook("-i", inventory, "playbooks/status.yml").stdout
    assert re.search(rf"{host.name()} +healthy +1 ", shown) and host.token() not in shown

    (host.path / "work" / host.name() / "kept.txt").write_text("work")
    playbook("-i", inventory, "playbooks/down.yml")
    assert not host.exists()
    assert (host.path / "work" / host.name() / "kept.txt").read_text() == "work"
    assert changed(playbook("-i", inventory, "playbooks/down.yml")) == 0


def test_what_is_wrong_with_one_host_spoils_no_other(host, inventory, playbook):
    hosts = json.loads(inventory.read_text())
    [good] = hosts["all"]["hosts"].values()
    hosts["all"]["hosts"] |= {
        "misspelt": {**good, "jupyter_image_delivery": "strem"},
        "undefined": {**good, "jupyter_image_registry_host": "{{ nowhere }}"},
    }
    inventory.write_text(json.dumps(hosts))
    done = playbook("-i", inventory, "site.yml", check=False)
    failed = dict(re.findall(r"^(\w+) +:.*failed=(\d)", done.stdout, re.M))
    assert failed == {"localhost": "0", "misspelt": "1", "undefined": "1"}
    assert "value of jupyter_image_delivery must be one of" in done.stdout and "nowhere'' is undefined" in done.stdout
    assert host.server().ask("api")["version"]


def test_try_another_jupyterlab_beside_the_old_one(host, inventory, playbook):
    playbook("-i", inventory, "site.yml", "--tags", "image,labs")
    before = host.inspect()["State"]["StartedAt"]
    (host.path / "work" / host.name() / "mine.txt").write_text("work")
    playbook("-i", inventory, "playbooks/try.yml", "-e", "version=4.5")
    trial = f"{host.name()}-try-4.5"
    about = {lab["name"]: lab for lab in host.info()["labs"]}
    assert about[trial]["jupyterlab_version"].startswith("4.5.")
    assert about[trial]["port"] != about[host.name()]["port"]
    assert about[trial]["work_dir"]["path"] == f"{about[host.name()]['work_dir']['path']}-try-4.5"
    copy = host.path / "work" / trial / "mine.txt"
    assert copy.read_text() == "work"
    copy.write_text("tried")
    assert host.inspect()["State"]["StartedAt"] == before
    hosts = json.loads(inventory.read_text())
    hosts["all"]["hosts"]["without"] = {**hosts["all"]["hosts"]["localhost"], "jupyter_labs": []}
    inventory.write_text(json.dumps(hosts))
    again = playbook("-i", inventory, "playbooks/try.yml", "-e", "version=4.5")
    assert changed(again) == 0 and re.search(r"without .*failed=0", again.stdout), "it has no such lab"

    gone = ("-i", inventory, "playbooks/try.yml", "-e", "version=4.5", "-e", "state=absent")
    assert changed(playbook(*gone, "--check")) == 1 and host.info()["labs"]
    playbook(*gone)
    assert [lab["name"] for lab in host.info()["labs"] if lab["name"].startswith(host.prefix)] == [host.name()]
    assert not host.engine.images(f"{host.name()}-try-4.5")
    assert (copy.read_text(), host.inspect()["State"]["StartedAt"]) == ("tried", before)


def test_try_says_what_it_needs(inventory, playbook):
    assert "-e version=4.6" in playbook("-i", inventory, "playbooks/try.yml", check=False).stdout
    missing = playbook("-i", inventory, "playbooks/try.yml", "-e", "version=4.5", check=False)
    assert "No host of this run has a lab named" in missing.stdout and "-e lab=NAME" in missing.stdout
    for wrong, sentence in {
        "state=abesnt": "state: 'abesnt' should be started, stopped or absent.",
        f"lab={'a' * 60}": "should be at most 63 letters long",
        '{"jupyter_labs_defaults": {"ephemeral": true}}': "is ephemeral, so there is no work to try another JupyterLab",
    }.items():
        refused = playbook("-i", inventory, "playbooks/try.yml", "-e", "version=4.5", "-e", wrong, check=False)
        assert sentence in " ".join(refused.stdout.split())


def test_a_check_notebook_is_looked_for_where_the_user_is(host, inventory, playbook):
    cell = {"cell_type": "code", "source": "raise ValueError('this very notebook')", "metadata": {}, "outputs": [],
            "execution_count": None}  # fmt: skip
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    (host.path / "mine.ipynb").write_text(json.dumps(notebook))
    given = {"upgrade_check_notebook": "mine.ipynb", "jupyter_image_requirements": []}
    upgrade = ("-i", inventory, ROOT / "playbooks/upgrade.yml", "-e", json.dumps(given))
    done = playbook(*upgrade, cwd=host.path, check=False)
    said = " ".join(done.stdout.split())
    assert done.returncode and "mine.ipynb failed in" in said and "ValueError: this very notebook" in said
    assert not host.exists()
