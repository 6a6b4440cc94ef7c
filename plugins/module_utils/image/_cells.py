# Copyright (c) 2026, The myjupyter.fleet maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs inside a container of an image, with its own Python: a notebook, by a kernel, cell after cell.

``python cells.py NOTEBOOK SECONDS MARK`` ends with one line on stdout: what came of it, as JSON behind the mark.
Needs nbclient, which Jupyter Server brings.
"""

# pylint: disable=ansible-bad-function  # this is a program inside a container, not a module: it prints and exits

from __future__ import annotations

import json
import re
import sys
import time

KEPT = 8000  # characters of what the cells printed
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def run(path, seconds):
    """Run the notebook; what came of it: ``error`` is empty, or says why it ended early, and ``cell`` where."""
    try:
        import nbclient
        import nbformat
    except ImportError as error:
        return {"error": f"the image's Python cannot run notebooks ({error}); Jupyter Server brings nbclient"}
    notebook = nbformat.read(path, as_version=4)
    client = client_of(nbclient.NotebookClient)(
        notebook,
        timeout_func=deadline(time.monotonic() + seconds),
        startup_timeout=seconds,
        kernel_name=notebook.metadata.get("kernelspec", {}).get("name", "python3"),
    )
    client.at = None
    answer = {"error": "", "traceback": []}
    try:
        client.execute()
    except nbclient.exceptions.CellTimeoutError:
        answer["error"] = f"it was not done within {seconds} s"
    except nbclient.exceptions.CellExecutionError as error:
        answer["error"] = plain(f"{error.ename}: {error.evalue}")
        answer["traceback"] = plain(error.traceback).splitlines()
    except nbclient.exceptions.DeadKernelError:
        answer["error"] = "the kernel died: it was perhaps killed for want of memory"
    except Exception as error:  # a kernel that there is none of, or that does not start, has errors of many kinds
        answer["error"] = plain(f"{type(error).__name__}: {error}")
    return {**answer, **told(notebook, client.at if answer["error"] else None)}


def client_of(base):
    """A client that remembers which cell it is at."""

    class Client(base):
        async def async_execute_cell(self, cell, cell_index, *others, **named):
            self.at = cell_index
            return await super().async_execute_cell(cell, cell_index, *others, **named)

    return Client


def deadline(end):
    return lambda _cell: max(1, int(end - time.monotonic()))


def told(notebook, failed):
    """How many code cells there are, what they printed and, of the one that failed, its number and its text."""
    code = [(number, cell) for number, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    printed = "".join(text_of(output) for _number, cell in code for output in cell.outputs)
    about = {"cells": len(code), "output": plain(printed)[-KEPT:]}
    for count, (number, cell) in enumerate(code, 1):
        if number == failed:
            about.update({"cell": count, "source": cell.source})
    return about


def text_of(output):
    if output.output_type == "stream":
        return output.text
    text = output.get("data", {}).get("text/plain", "")
    return f"{text}\n" if text else ""


def plain(text):
    return COLOURS.sub("", text)


if __name__ == "__main__":
    came = run(sys.argv[1], int(sys.argv[2]))
    print(f"\n{sys.argv[3]}{json.dumps(came)}", flush=True)
    sys.exit(bool(came["error"]))
