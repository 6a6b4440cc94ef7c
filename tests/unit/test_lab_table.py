"""The table of labs, as a terminal shows it."""

from __future__ import annotations

from ansible_collections.myjupyter.fleet.plugins.filter.lab_table import lab_table

HEALTHY = {
    "name": "ana", "healthy": True, "reason": "", "kernels": [{"state": "busy"}, {"state": "idle"}],
    "memory": {"used": 300 * 1024**2, "allowed": 2**30}, "jupyterlab_version": "4.6.1", "drift": {},
    "url": "http://127.0.0.1:10000/lab",
}  # fmt: skip
STOPPED = {
    "name": "ben", "healthy": False, "reason": "it is exited", "kernels": [], "memory": None,
    "jupyterlab_version": None, "drift": {"memory": {}}, "url": "http://127.0.0.1:10001/lab",
}  # fmt: skip


def test_trouble_comes_first_and_columns_line_up():
    assert lab_table([HEALTHY, STOPPED]) == [
        "LAB  STATE         KERNELS     MEMORY          JUPYTERLAB  DRIFT   ADDRESS",
        "ben  it is exited  0           -               -           memory  http://127.0.0.1:10001/lab",
        "ana  healthy       2 (1 busy)  300 MB of 1024  4.6.1       -       http://127.0.0.1:10000/lab",
    ]


def test_no_labs_is_a_heading():
    assert len(lab_table([])) == 1


def test_memory_that_cannot_be_told():
    assert "  -  " in lab_table([{**HEALTHY, "memory": {"used": None, "allowed": 0}}])[1]
