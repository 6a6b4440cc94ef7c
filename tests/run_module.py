"""Run one module of this checkout in a process of its own, as a host would: arguments on stdin, result on stdout."""

from __future__ import annotations

import json
import runpy
import sys

from ansible.module_utils.testing import patch_module_args

name, arguments = sys.argv[1], json.load(sys.stdin)
with patch_module_args(arguments):
    runpy.run_module(f"ansible_collections.myjupyter.fleet.plugins.modules.{name}", run_name="__main__")
