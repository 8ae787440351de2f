#!/usr/bin/env bash
# Makes sure that commands and files are there: need.sh COMMAND|/FILE[=DEBIAN_PACKAGE]...
# As root on a machine with apt-get it installs what is missing. Anywhere else
# it says what to install and fails: a test that is skipped for want of a tool
# looks like a test that passed.
set -euo pipefail

missing=()
for word in "$@"; do
	[[ $word == /* && -e ${word%%=*} ]] || command -v "${word%%=*}" >/dev/null || missing+=("${word##*=}")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
	exit 0
fi
echo "missing: ${missing[*]}. Install these packages first, for example: apt-get install ${missing[*]}" >&2
exit 1
