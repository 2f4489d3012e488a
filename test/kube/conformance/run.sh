#!/usr/bin/env bash
# Runs the Gateway API's conformance suite in the node's network namespace, against the weft that is installed in the cluster:
# run.sh [FLAG...] of go test or the suite, such as -test.run Mesh, -run-test HTTPRouteWeight. REPORTS names the folder for the reports;
# none: there are none.
set -euo pipefail
MODULE=$(cd "$(dirname "$0")" && pwd)
. "$MODULE/../node/env.sh"
[ -f "$STATE/ready" ] || die "no cluster runs: make kube-up"
OUT=$STATE/conformance
mkdir -p "$OUT"

# The suite's pods name images of registries; they are built here, and get those names.
export CGO_ENABLED=0 # as make builds
nice go -C "$MODULE" build -o "$OUT/echo-basic" sigs.k8s.io/gateway-api/conformance/echo-basic # which fetches the suite: before that it has no folder
nice go -C "$MODULE" build -o "$OUT/echo" ./echo
suite=$(go -C "$MODULE" list -m -f '{{.Dir}}' sigs.k8s.io/gateway-api/conformance)
for image in $(grep -rhoE 'image: *\S+' "$suite/base" "$suite/mesh" "$suite/tests" | awk '{print $2}' | tr -d '"' | sort -u); do
  case $image in
  *echo-basic*) "$BIN/kubetool" image -o "$OUT/$(basename "${image/:/-}").tar" -t "$image" -entrypoint /echo-basic -add "$OUT/echo-basic:/echo-basic" ;;
  *echo-advanced*) "$BIN/kubetool" image -o "$OUT/echo.tar" -t "$image" -entrypoint /echo -env PATH=/ -add "$OUT/echo:/echo" -add "$OUT/echo:/client" ;;
  *coredns*) "$BIN/kubetool" image -o "$OUT/coredns.tar" -t "$image" -entrypoint /coredns -add "$BIN/coredns:/coredns" ;;
  esac
done
"$MODULE/../node/import.sh" "$OUT"/*.tar

nice go -C "$MODULE" test -c -o "$OUT/conformance.test" .
cd "$MODULE"
restarts() { # of weft's containers, a line for each pod
  "$MODULE/../node/run.sh" kubectl get pods -n weft-system \
    -o 'jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[*].restartCount}{"\n"}{end}'
}
over() { [ -z "$(kubectl get namespaces -l gateway-conformance -o name)" ]; } # the run before, of which the last is still being deleted
until_ok 180 "the namespaces of an earlier run go" over
before=$(restarts)
"$MODULE/../node/run.sh" "$OUT/conformance.test" -test.timeout 40m -test.v -weft-version "$(git -C "$MODULE" describe --always)" ${REPORTS:+-reports "$REPORTS"} "$@"
after=$(restarts)
[ "$before" = "$after" ] || die "weft ended by itself during the suite; pods and restarts before: $before, after: $after"
