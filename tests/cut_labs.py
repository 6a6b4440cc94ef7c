"""Run the module `labs` until the process is killed, as by a power cut: before or after a function of its own.

cut_labs.py _run.Run._wait before < OPTIONS.json
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import runpy
import signal
import sys

from ansible.module_utils.testing import patch_module_args

COLLECTION = "ansible_collections.myjupyter.fleet.plugins"


def die_at(where: str, when: str) -> None:
    module, *path, name = where.split(".")
    owner = functools.reduce(getattr, path, importlib.import_module(f"{COLLECTION}.module_utils.lab.{module}"))
    function = getattr(owner, name)

    def cut(*arguments, **options):
        if when == "after":
            function(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, cut)


die_at(*sys.argv[1:])
with patch_module_args(json.load(sys.stdin)):
    runpy.run_module(f"{COLLECTION}.modules.labs", run_name="__main__")
