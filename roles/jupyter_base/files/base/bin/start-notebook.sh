#!/usr/bin/env bash
# The former name of start-notebook.py.
exec /usr/local/bin/start-notebook.py "$@"
