"""What runs in a lab, told from the command lines of its processes."""

from __future__ import annotations

import pytest

from ansible_collections.myjupyter.fleet.plugins.module_utils.lab._processes import are_server_alone, have_other_kernels

ID = "0f6f7b0e-5c2c-4f1e-9d6e-0a4d4b0c8d11"
SERVER = "/opt/conda/bin/python3 /opt/conda/bin/jupyter-lab"
OWN = f"/opt/conda/bin/python3 -m ipykernel_launcher -f /run/jupyter/kernel-{ID}.json"


@pytest.mark.parametrize(
    ("commands", "other"),
    [
        ([SERVER, OWN, OWN], False),
        (
            [
                SERVER,
                "/bin/bash -l",
                "vim notes.json",
                "python /tmp/ipykernel_7/a.py",
                "python train.py --config /work/kernel.json",
                "python serve.py /work/tmp_config.json",
            ],
            False,
        ),
        ([SERVER, f"julia -i --project=@. kernel.jl /run/jupyter/kernel-{ID}.json"], False),
        ([SERVER, OWN, "python3 -m ipykernel_launcher -f /tmp/tmp3k_x0w1a.json"], True),
        ([SERVER, OWN.replace(ID, "8d1b")], True),
        ([SERVER, "R --slave -e IRkernel::main() --args /tmp/tmpab12cd34.json"], True),
        ([SERVER, "julia -i --project=@. kernel.jl /home/jovyan/.local/share/jupyter/runtime/kernel-8d1b.json"], True),
        ([SERVER, "python -m ipykernel"], True),
    ],
)
def test_kernels_beside_those_of_the_server(commands, other):
    assert have_other_kernels([{"PID": "1", "CMD": command} for command in commands], [ID]) is other


def test_what_nobody_can_tell():
    assert not have_other_kernels(None, [ID]) and not are_server_alone(None)
