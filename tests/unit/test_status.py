"""The labs of a fleet, put together, selected and told."""

from __future__ import annotations

import json
import re
import sys

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.myjupyter.fleet.plugins.filter.fleet_status import fleet_status
from ansible_collections.myjupyter.fleet.plugins.plugin_utils import _page, _status

ANA = {
    "name": "ana", "state": "running", "healthy": True, "reason": "", "busy": True, "terminals": 0,
    "kernels": [
        {"name": "python3", "state": "busy", "notebook": "a.ipynb", "last_activity": "2026-01-02T03:04:05Z"},
        {"name": "python3", "state": "idle", "notebook": "", "last_activity": "2026-01-01T00:00:00Z"},
    ],
    "memory": {"used": 300 * 1024**2, "allowed": 2**30}, "jupyterlab_version": "4.6.1", "python_version": "3.11.2",
    "drift": {}, "url": "http://127.0.0.1:10000/lab", "image": "myjupyter:latest",
    "work_dir": {"path": "/srv/ana", "owner": "1000:100", "size": 12_000_000},
}  # fmt: skip
BEN = {
    **ANA, "name": "ben", "state": "exited", "healthy": False, "reason": "it is exited: code 1", "busy": False,
    "kernels": [], "memory": None, "jupyterlab_version": "", "drift": {"memory": {}}, "work_dir": None,
    "url": "http://127.0.0.1:10001/lab",
}  # fmt: skip
SAID = {
    "one": {"labs": [ANA, BEN]},
    "two": {"unreachable": True, "msg": "Failed to connect\nto the host"},
    "three": {"msg": "No Docker Engine listens at /var/run/docker.sock: install one, for instance with docker_engine."},
    "four": {"labs": []},
}


def test_a_lab_that_could_not_be_asked_is_not_told_as_busy():
    lines = fleet_status({"one": {"labs": [{**ANA, "kernels": []}]}})
    assert re.search(r"healthy +\? +300 MB", lines[1]) and lines[-1] == "1 host, 1 lab, 1 that could not be asked"


def test_the_table_has_trouble_first_and_lines_up():
    assert fleet_status(SAID) == [
        "HOST   LAB  STATE         KERNELS     MEMORY          JUPYTERLAB  DRIFT   ADDRESS",
        "three  -    failed        -           -               -           -       -",
        "two    -    unreachable   -           -               -           -       -",
        "one    ben  it is exited  0           -               -           memory  http://127.0.0.1:10001/lab",
        "one    ana  healthy       2 (1 busy)  300 MB of 1024  4.6.1       -       http://127.0.0.1:10000/lab",
        "three: No Docker Engine listens at /var/run/docker.sock: install one, for instance with docker_engine.",
        "two: Failed to connect to the host",
        "4 hosts, 1 unreachable, 2 labs, 1 in trouble, 1 drifted, 1 busy",
    ]


def test_nothing_is_a_heading_and_a_count():
    assert fleet_status({})[-1] == "0 hosts, 0 labs"


def test_a_lab_at_rest_is_no_trouble():
    at_rest = {**BEN, "declared_state": "stopped", "drift": {}}
    shown = fleet_status({"one": {"labs": [at_rest]}})
    assert shown[-1] == "1 host, 1 lab"
    metrics = fleet_status({"one": {"labs": [at_rest]}}, format="prometheus").splitlines()
    assert 'myjupyter_lab_in_trouble{host="one",lab="ben"} 0' in metrics
    assert fleet_status({"one": {"labs": [{**at_rest, "state": "missing"}]}})[-1] == "1 host, 1 lab, 1 in trouble"


def test_memory_that_cannot_be_told():
    lab = {**ANA, "memory": {"used": None, "allowed": 0}}
    assert "  -  " in fleet_status({"one": {"labs": [lab]}})[1]


@pytest.mark.parametrize(
    "expression, names",
    [
        ("", ["ben", "ana"]),
        ("labs[?busy]", ["ana"]),
        ("labs[?!healthy]", ["ben"]),
        ("labs[?host=='two']", []),
        ("labs[?kernels[?notebook=='a.ipynb']]", ["ana"]),
        ("[labs[?busy], labs[?healthy]][]", ["ana"]),
        ("nothing", []),
    ],
)
def test_labs_are_selected(expression, names):
    found = json.loads(fleet_status(SAID, format="json", select=expression))
    assert [lab["name"] for lab in found["labs"]] == names
    assert len(found["hosts"]) == 4


@pytest.mark.parametrize(
    "expression, why",
    [
        ("labs[::0]", "slice step cannot be zero"),
        ("labs[?nonsense(host)]", "Unknown function: nonsense()"),
        ("sort_by(labs, &memory.used)", "In function sort_by(), invalid type for value: "),
        ("labs[?contains(host, `1`)]", "'in <string>' requires string"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(expression, why):
    with pytest.raises(AnsibleFilterError) as refused:
        fleet_status(SAID, select=expression)
    assert str(refused.value).startswith(f"select: {expression!r} cannot be evaluated: {why}")


def test_a_refusal_has_no_cause_that_ansible_would_tell_as_well(monkeypatch):
    monkeypatch.setitem(sys.modules, "jmespath", None)
    with pytest.raises(AnsibleFilterError, match="select needs the library jmespath") as refused:
        fleet_status(SAID, select="labs")
    assert refused.value.__suppress_context__


def test_a_refusal_does_not_repeat_the_labs():
    with pytest.raises(AnsibleFilterError) as refused:
        fleet_status(SAID, select="abs(labs)")
    assert len(str(refused.value)) < 400 and """expected one of: ['number'], received: "array\"""" in str(refused.value)


@pytest.mark.parametrize(
    "expression",
    [
        "labs[?",
        "labs[].name",
        "labs[].{host: host, name: name, healthy: healthy}",
        "length(labs)",
        "hosts",
        "labs[?busy==",
    ],
)
def test_what_selects_no_labs_is_refused(expression):
    with pytest.raises(AnsibleFilterError, match="select: .* (is no JMESPath expression|finds no labs)"):
        fleet_status(SAID, select=expression)


def test_a_format_that_is_none_is_refused():
    with pytest.raises(AnsibleFilterError, match="format: 'xml' is none of table, json, prometheus, html"):
        fleet_status(SAID, format="xml")


def test_metrics_are_in_families_and_escaped():
    odd = {**ANA, "name": 'a"b\\c\n'}
    lines = _status.prometheus(_status.gather({"one": {"labs": [odd, BEN]}, "two": {"unreachable": True}})).splitlines()
    assert 'myjupyter_host_up{host="two"} 0' in lines
    assert 'myjupyter_lab_healthy{host="one",lab="a\\"b\\\\c\\n"} 1' in lines
    assert 'myjupyter_lab_last_activity_timestamp_seconds{host="one",lab="a\\"b\\\\c\\n"} 1767323045.0' in lines
    assert not [line for line in lines if line.startswith("myjupyter_lab_memory_bytes") and 'lab="ben"' in line]
    families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(families) == len(set(families))
    samples = [line.partition("{")[0] for line in lines if not line.startswith("#")]
    assert samples == sorted(samples, key=families.index)


def test_the_page_holds_all_and_trusts_nothing():
    bad = "<script>alert(1)</script>\"'"
    lab = {**ANA, "name": bad, "image": bad, "url": f"javascript:{bad}", "reason": bad, "healthy": False,
           "kernels": [{**ANA["kernels"][0], "notebook": bad}], "drift": {bad: {}}}  # fmt: skip
    page = _page.page(_status.gather({bad: {"labs": [lab]}, "two": {"unreachable": True, "msg": bad}}), "now")
    assert "<script>alert" not in page and page.count("<script>") == 1
    assert "javascript:" not in page
    assert "http://" not in page and "https://" not in page and "src=" not in page.replace("-src", "")


GPU = {"uuid": "GPU-a", "name": "NVIDIA L4", "shared": False, "utilization": 37, "memory": {"used": 5, "total": 9}}
PART = {**GPU, "uuid": "MIG-1", "utilization": None, "memory": {"used": None, "total": None}}
GONE = {**PART, "uuid": "GPU-x", "name": None}


@pytest.mark.parametrize(
    ("gpus", "told"), [([], "-"), ([GPU], "1 (37%)"), ([GPU, PART], "2 (37%, ?)"), ([PART], "1"), (None, "-")]
)
def test_gpus_are_told_in_a_column_where_there_are_any(gpus, told):
    lines = fleet_status({"one": {"labs": [{**ANA, "gpus": gpus}, {**BEN, "gpus": [GPU]}]}, "two": {"msg": "no"}})
    at = lines[0].index("GPUS")
    assert lines[3][at : at + 12].strip().startswith(told)
    assert "GPUS" not in fleet_status({"one": {"labs": [{**ANA, "gpus": []}, BEN]}})[0]


def test_gpus_are_told_by_name_on_the_page_and_in_metrics():
    status = _status.gather({"one": {"labs": [{**ANA, "gpus": [GPU, PART, GONE]}, {**BEN, "gpus": []}]}})
    page = _page.page(status, "now")
    assert page.count(">GPUs<") == 1 and 'title="NVIDIA L4 GPU-a, NVIDIA L4 MIG-1, gone GPU-x"' in page
    assert ">GPUs<" not in _page.page(_status.gather({"one": {"labs": [ANA]}}), "now")
    lines = _status.prometheus(status).splitlines()
    assert (
        'myjupyter_lab_gpus{host="one",lab="ana"} 3' in lines and 'myjupyter_lab_gpus{host="one",lab="ben"} 0' in lines
    )
    assert 'myjupyter_lab_gpu_utilization_percent{host="one",lab="ana",gpu="GPU-a"} 37' in lines
    assert not [line for line in lines if "MIG-1" in line]
