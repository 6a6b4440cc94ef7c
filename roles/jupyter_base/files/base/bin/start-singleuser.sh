#!/usr/bin/env bash
# The former name of start-singleuser.py.
echo "WARNING: Use start-singleuser.py instead" >&2
exec /usr/local/bin/start-singleuser.py "$@"
