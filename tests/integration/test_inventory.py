"""Labs as hosts of an inventory, as ansible-inventory shows them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.myjupyter.fleet.plugins.inventory.labs import groups_of

LAB = {"name": "ana", "host": "gpu1", "state": "running", "healthy": True, "busy": True, "image": "myjupyter:latest",
       "jupyterlab_version": "4.6.1"}  # fmt: skip
DOWN = {**LAB, "name": "ben", "state": "exited", "healthy": False, "busy": False}
PROGRAM = Path(sys.executable).parent / "ansible-inventory"


def test_groups_by_state_image_and_host():
    said = ["labs", "lab_state_running", "lab_healthy", "lab_busy", "lab_image_myjupyter:latest", "lab_on_gpu1"]
    assert groups_of(LAB) == said
    assert groups_of(DOWN)[1:3] == ["lab_state_exited", "lab_in_trouble"]
    assert groups_of({**DOWN, "declared_state": "stopped"})[1:3] == ["lab_state_exited", "lab_image_myjupyter:latest"]


def show(folder, status):
    """What ansible-inventory says of a host's inventory and the labs beside it."""
    hosts = {
        "hosts": {"gpu1": {"ansible_host": "192.0.2.1", "other": 1}, "www.gpu1": {}},
        "vars": {"ansible_user": "admin"},
    }
    (folder / "inventory.json").write_text(json.dumps({"all": hosts}))
    (folder / "labs.json").write_text(status)
    keyed = [{"key": "lab.jupyterlab_version", "prefix": "version"}]
    wanted = {"plugin": "myjupyter.fleet.labs", "keyed_groups": keyed}
    (folder / "labs.yml").write_text(json.dumps(wanted))
    return subprocess.run(
        [PROGRAM, "--list", "-i", folder / "inventory.json", "-i", folder / "labs.yml"],
        cwd=Path(__file__).parent.parent.parent, env={**os.environ, "ANSIBLE_CONFIG": "ansible.cfg"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_labs_are_hosts_reached_by_way_of_their_own(tmp_path):
    said = json.loads(show(tmp_path, json.dumps({"hosts": [], "labs": [LAB, DOWN]})).stdout)
    ana = said["_meta"]["hostvars"]["ana.gpu1"]
    assert (ana["ansible_host"], ana["ansible_user"]) == ("192.0.2.1", "admin")
    assert "other" not in ana
    # What came from hosts is marked as such: nothing in it is ever taken for a template.
    assert ana["lab_name"] == {"__ansible_unsafe": "ana"}
    assert said["labs"]["hosts"] == ["ana.gpu1", "ben.gpu1"]
    assert said["lab_image_myjupyter_latest"]["hosts"] == ["ana.gpu1", "ben.gpu1"]
    assert said["lab_busy"]["hosts"] == ["ana.gpu1"] and said["lab_in_trouble"]["hosts"] == ["ben.gpu1"]
    assert said["version_4_6_1"]["hosts"] == ["ana.gpu1", "ben.gpu1"]


def test_files_beside_the_inventory_say_how_a_host_is_reached(tmp_path):
    for name, text in {
        "host_vars/gpu1": {"ansible_port": 2222},
        "group_vars/all": {"ansible_user": "gpuadmin"},
    }.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / f"{name}.json").write_text(json.dumps(text))
    said = json.loads(show(tmp_path, json.dumps({"labs": [LAB]})).stdout)["_meta"]["hostvars"]["ana.gpu1"]
    assert (said["ansible_host"], said["ansible_port"], said["ansible_user"]) == ("192.0.2.1", 2222, "gpuadmin")


def test_what_a_host_s_variables_are_made_of_is_that_host_s(tmp_path):
    (tmp_path / "group_vars").mkdir()
    said = {"ansible_host": "{{ inventory_hostname }}.example.edu", "ansible_user": "{{ admin }}", "admin": "gpuadmin"}
    (tmp_path / "group_vars/all.json").write_text(json.dumps(said))
    (tmp_path / "inventory.json").write_text(json.dumps({"all": {"hosts": {"gpu1": {}}}}))
    (tmp_path / "labs.json").write_text(json.dumps({"labs": [LAB]}))
    (tmp_path / "labs.yml").write_text(json.dumps({"plugin": "myjupyter.fleet.labs"}))
    done = subprocess.run(
        [PROGRAM.parent / "ansible", "ana.gpu1", "-i", tmp_path / "inventory.json", "-i", tmp_path / "labs.yml",
         "-m", "debug", "-a", "msg='{{ ansible_user }}@{{ ansible_host }}'"],
        cwd=Path(__file__).parent.parent.parent, env={**os.environ, "ANSIBLE_CONFIG": "ansible.cfg"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "gpuadmin@gpu1.example.edu" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    "labs", [[{**LAB, "name": "www"}], [{**LAB, "name": "x.y", "host": "z"}, {**LAB, "name": "x", "host": "y.z"}]]
)
def test_a_lab_never_becomes_another_host(tmp_path, labs):
    said = show(tmp_path, json.dumps({"labs": labs})).stderr
    assert "is another host already: rename the lab or the host" in " ".join(said.split())


@pytest.mark.parametrize("status", ["", "{}", "[]", '{"labs": [{}]}'])
def test_a_file_that_status_did_not_write_is_refused(tmp_path, status):
    assert "is not what the playbook status writes with format=json" in " ".join(show(tmp_path, status).stderr.split())
