#!/usr/bin/env bash
# The former name of start-singleuser.py.
exec /usr/local/bin/start-singleuser.py "$@"
