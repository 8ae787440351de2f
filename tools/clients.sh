#!/usr/bin/env bash
# Makes sure that the clients which integration_test/clients tests are there:
# those of Debian, and those of npm as the lock file has them. The clients in Go
# come with their module.
set -euo pipefail
cd "$(dirname "$0")/.."

python=/usr/lib/python3/dist-packages
tools/need.sh node=nodejs npm "$python/authlib=python3-authlib" "$python/requests=python3-requests"
tools/npm.sh integration_test/clients/npm
