#!/usr/bin/env bash
# The suite for gateways with the CRDs of the Gateway API's experimental channel, and with what weft does of it. They are the
# cluster's while it runs; after it those of the standard channel are again.
set -euo pipefail
MODULE=$(cd "$(dirname "$0")" && pwd)
. "$MODULE/../node/env.sh"
channel() { # FOLDER: its CRDs, as weft install writes them, and no admission policy
  in_ns "$BIN/kubectl" apply --server-side --force-conflicts --field-manager weft-install $(printf -- '-f %s ' "$1"/gateway.networking.k8s.io_[!v]*.yaml) >/dev/null
}
trap 'channel "$ROOT/api/crds"' EXIT
api=$(go -C "$MODULE" list -m -f '{{.Dir}}' sigs.k8s.io/gateway-api)
channel "$api/config/crd/experimental"
"$MODULE/run.sh" -test.run TestGateway -experimental "$@"
