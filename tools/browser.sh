#!/usr/bin/env bash
# Makes sure that what integration_test/browser drives is there: the browser and
# node of Debian, and the modules of npm as the lock file has them.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/need.sh chromium node=nodejs npm redis-server
chromium --version 2>/dev/null
tools/npm.sh integration_test/browser/npm
