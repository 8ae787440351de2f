#!/usr/bin/env bash
# Makes sure that the modules of npm in a folder are there, as its lock file has
# them: npm.sh FOLDER.
set -euo pipefail

if [ "$(node --print 'parseInt(process.versions.node)')" -lt 20 ]; then
	echo "node is $(node --version): $1 needs 20 or later" >&2
	exit 1
fi
cd "$1"
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund
