#!/usr/bin/env bash
# Makes sure that the clients which integration_test/clients tests are there:
# those of Debian, and those of npm as the lock file has them. The clients in Go
# come with their module.
set -euo pipefail
cd "$(dirname "$0")/.."

python=/usr/lib/python3/dist-packages
tools/need.sh node=nodejs npm "$python/authlib=python3-authlib" "$python/requests=python3-requests"
if [ "$(node --print 'parseInt(process.versions.node)')" -lt 20 ]; then
	echo "node is $(node --version): the clients need 20 or later" >&2
	exit 1
fi

cd integration_test/clients/npm
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund
