#!/bin/sh
# Runs a test program with its arguments.
exec "$@"
