#!/usr/bin/env bash
# Runs kwok until it is stopped: nodes with the label type=fake are kept ready, and pods bound to them run, in name only.
# A node also needs the annotation kwok.x-k8s.io/node: fake, and a taint that keeps real pods away.
set -euo pipefail
. "$(dirname "$0")/env.sh"
"$HERE/build.sh" kwok
stages=$(cd "$HERE/../kwok" && go list -m -f '{{.Dir}}' sigs.k8s.io/kwok)/kustomize/stage
exec "$BIN/kwok" --kubeconfig "$KUBECONFIG" --manage-all-nodes=false --manage-nodes-with-label-selector type=fake \
  --node-lease-duration-seconds 40 --cidr 10.128.0.0/9 \
  --config "$stages/node/fast/node-initialize.yaml" --config "$stages/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml" \
  --config "$stages/pod/fast/pod-ready.yaml" --config "$stages/pod/fast/pod-complete.yaml" --config "$stages/pod/fast/pod-delete.yaml"
