#!/usr/bin/env bash
# Makes sure that what integration_test/browser drives is there: the browser and
# node of Debian, and the modules of npm as the lock file has them.
set -euo pipefail
cd "$(dirname "$0")/.."

tools/need.sh chromium node=nodejs npm redis-server
if [ "$(node --print 'parseInt(process.versions.node)')" -lt 20 ]; then
	echo "node is $(node --version): the scripts need 20 or later" >&2
	exit 1
fi
chromium --version 2>/dev/null

cd integration_test/browser/npm
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund
