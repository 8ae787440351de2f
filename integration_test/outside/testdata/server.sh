#!/bin/sh
# Stands for the binary: it says that it serves, stops with the exit code that it
# is told, and ends by itself once there is a file with the name end.
trap 'exit $CODE' TERM
echo serving
while [ ! -e end ]; do sleep 0.02; done
