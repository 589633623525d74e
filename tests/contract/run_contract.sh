#!/bin/sh
# Runs the contract suite: PROGRAM SPEC [TRAIT...]
exec "$@"
