#!/usr/bin/env bash
# The former name of start-notebook.py.
echo "WARNING: Use start-notebook.py instead" >&2
exec /usr/local/bin/start-notebook.py "$@"
