"""A notebook in a throw-away container: by a real kernel, and nothing is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import COLLECTIONS
from tests.conftest import ModuleFailed

ROOT = Path(__file__).parent.parent.parent
CHECK = (ROOT / "playbooks/files/check.ipynb").read_text()
LABEL = "fleet.myjupyter.run"


def notebook(*sources, **metadata):
    code = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "# First"}, *({**code, "source": s} for s in sources)]
    return json.dumps({"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 4})


@pytest.fixture
def run(engine, run_module, base):
    """Run a notebook in the base; afterwards nothing of it may be left."""
    yield lambda text, **options: run_module("notebook_run", **{"image": base, "notebook": text, **options})
    assert left(engine) == []


def left(engine):
    return engine.containers(all=True, filters={"label": LABEL})


def test_the_notebook_of_the_collection_passes_in_the_base(run):
    said = run(CHECK)
    assert (said["changed"], said["ran"], said["cells"]) == (False, True, 3)
    assert "A kernel runs" in said["output"] and "JupyterLab 4" in said["output"]
    foretold = run(CHECK, check=True)
    assert (foretold["changed"], foretold["ran"]) == (False, False)


def test_it_imports_what_the_recipe_asks_for(run, images):
    recipe = {"requirements": ["tabulate==0.9.0", "six; python_version < '3'"]}
    images.image(**recipe)
    assert "tabulate 0.9.0" in run(CHECK, image=images.name)["output"]
    broken = "echo 'raise ImportError(\"broken\")' > $(python -c 'import tabulate as t; print(t.__file__)')"
    images.image(**recipe, post_build=[broken])
    with pytest.raises(ModuleFailed, match="in cell 3: ImportError: broken") as failed:
        run(CHECK, image=images.name, name="check.ipynb")
    assert failed.value.result["msg"].startswith(f"check.ipynb failed in {images.name}")


def test_an_error_is_that_of_its_cell(run):
    sentence = "notebook failed in .* in cell 2: ZeroDivisionError: division by zero"
    with pytest.raises(ModuleFailed, match=sentence) as failed:
        run(notebook("print('before')", "1 / 0", "print('never')"))
    result = failed.value.result
    assert (result["cell"], result["source"], result["output"]) == (2, "1 / 0", "before\n")
    assert any("ZeroDivisionError" in line for line in result["traceback"])


LOOK = """
import os
status = open("/proc/self/status").read()
privileges = [line.split()[1] for line in status.splitlines() if line.startswith(("CapEff", "NoNewPrivs"))]
print(os.listdir("/sys/class/net"), os.getuid(), privileges, os.environ["MINE"])
"""


def test_it_has_nothing_that_it_does_not_need(run):
    said = run(notebook(LOOK), env={"MINE": "yes"})
    assert said["output"] == "['lo'] 1000 ['0000000000000000', '1'] yes\n"


@pytest.mark.parametrize(
    "source, options, sentence",
    [
        ("import time; time.sleep(60)", {"timeout": 3}, "in cell 1: it was not done within 3 s"),
        ("b = bytearray(400 * 1024**2)", {"memory": "200m"}, "the kernel died"),
        ("1", {"image": "myjupyter-none"}, "image: 'myjupyter-none' is not on this host"),
    ],
)
def test_what_does_not_end_well_ends(run, source, options, sentence):
    with pytest.raises(ModuleFailed, match=sentence):
        run(notebook(source), **options)


def test_a_kernel_that_there_is_none_of(run):
    with pytest.raises(ModuleFailed, match="NoSuchKernel.*nonsense"):
        run(notebook("1", kernelspec={"name": "nonsense", "display_name": "none"}))


def test_an_image_without_jupyter(run, engine, base):
    with pytest.raises(ModuleFailed, match="could not be run in|would not run"):
        run(notebook("1"), env={"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize(
    "options, sentence",
    [
        ({"notebook": "{}"}, "is no notebook with a cell of code"),
        ({"notebook": "[1, 2]"}, "is no notebook with a cell of code"),
        ({"timeout": 0}, "timeout: 0 should be a number of seconds above 0"),
        ({"memory": "much"}, "memory: 'much' should be a size"),
        ({"env": {"a b": 1}}, "env: 'a b' is no name for an environment variable"),
    ],
)
def test_what_cannot_be_meant_is_refused(run, options, sentence):
    with pytest.raises(ModuleFailed, match=sentence):
        run(options.pop("notebook", notebook("1")), **options)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_of_one_that_was_killed(engine, run, base, number):
    options = {"image": base, "notebook": notebook("import time; time.sleep(60)"), "timeout": 1}
    with subprocess.Popen(
        [sys.executable, ROOT / "tests" / "run_module.py", "notebook_run"], stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(COLLECTIONS)},
    ) as process:  # fmt: skip
        process.stdin.write(json.dumps(options).encode())
        process.stdin.close()
        wait(lambda: [item for item in left(engine) if item["State"] == "running"])
        process.send_signal(number)
        process.wait(20)
        wait(lambda: not left(engine))


def wait(condition):
    end = time.monotonic() + 40
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)
