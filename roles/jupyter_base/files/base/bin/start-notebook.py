#!/bin/sh
"exec" "/opt/conda/bin/python" "-IS" "$0" "$@"  # a Python that loads no more than it is asked to
"""The image's default command: starts JupyterLab, or what DOCKER_STACKS_JUPYTER_CMD names."""

import os
import sys

environ = os.environ
if "JUPYTERHUB_API_TOKEN" in environ:
    print(
        "WARNING: using start-singleuser.py instead of start-notebook.py to start a server associated with JupyterHub.",
        flush=True,
    )
    os.execv("/usr/local/bin/start-singleuser.py", ["start-singleuser.py", *sys.argv[1:]])

arguments = sys.argv[1:]
if environ.get("NOTEBOOK_ARGS"):
    import shlex

    arguments = shlex.split(environ["NOTEBOOK_ARGS"]) + arguments
application = environ.get("DOCKER_STACKS_JUPYTER_CMD") or "lab"
command = ["jupyter", application, *arguments]
if environ.get("RESTARTABLE") == "yes":
    command.insert(0, "run-one-constantly")

print("Executing:", *command, flush=True)
if command[0] == "jupyter" and os.access(f"/opt/conda/bin/jupyter-{application}", os.X_OK):
    # What `jupyter lab` would do itself, in one interpreter's start less.
    command[:2] = [f"/opt/conda/bin/jupyter-{application}"]
os.execvp(command[0], command)
