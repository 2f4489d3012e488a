#!/usr/bin/env bash
# Measures a weft beside 2,000 services and 20,000 fake pods: bench.sh [FLAGS OF test/kube/scale]. Run it by with.sh.
set -euo pipefail
. "$(dirname "$0")/env.sh"
out=$STATE/bench
mkdir -p "$out"
cd "$ROOT"
export GOFLAGS=-tags=kustomize_disable_go_plugin_support CGO_ENABLED=0 # as make builds
nice go build -o "$out/" ./cmd/weft ./test/kube/scale
"$HERE/build.sh" kwok
stop kube-proxy # nobody calls the fake pods, and writing their rules takes a third of two cores; up.sh starts it again
kubectl apply --server-side -f "$ROOT/api/crds" >/dev/null
kubectl create namespace weft-system --dry-run=client -o yaml | kubectl apply -f - >/dev/null
"$HERE/kwok.sh" >"$LOGS/kwok.log" 2>&1 &
kwok=$!
trap 'kill $kwok' EXIT
"$out/scale" -weft "$out/weft" "$@"
