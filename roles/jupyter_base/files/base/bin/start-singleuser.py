#!/opt/conda/bin/python -IS
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
