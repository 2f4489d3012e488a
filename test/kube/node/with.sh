#!/usr/bin/env bash
# Runs a command with a cluster: with.sh COMMAND... One that runs already is used and stays; else one is made for this run, and
# goes with it.
set -euo pipefail
. "$(dirname "$0")/env.sh"
if [ -f "$STATE/ready" ] && ! { [ -f "$PIDS/owner" ] && ! alive owner; }; then
  "$HERE/up.sh" >&2
else
  trap '"$HERE/down.sh" --purge' EXIT
  "$HERE/up.sh" --for $$ >&2
fi
"$@"
