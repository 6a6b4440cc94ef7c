#!/bin/sh
"exec" "/opt/conda/bin/python" "-IS" "$0" "$@"  # a Python that loads no more than it is asked to
"""Starts a server for JupyterHub; jupyterhub itself must be in the image."""

import os
import shlex
import sys

given = shlex.split(os.environ.get("NOTEBOOK_ARGS", ""))
command = ["jupyterhub-singleuser", *given, *sys.argv[1:]]
if not any(argument.startswith("--ip=") for argument in given):
    command.insert(1, "--ip=0.0.0.0")

print("Executing:", *command, flush=True)
os.execvp(command[0], command)
