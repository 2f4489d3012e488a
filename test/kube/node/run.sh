#!/usr/bin/env bash
# Runs a command in the node's network namespace, where pods, ClusterIPs and LoadBalancer addresses can be dialled, with KUBECONFIG set:
# run.sh COMMAND..., or go test -exec "$PWD/test/kube/node/run.sh" ./...
set -euo pipefail
. "$(dirname "$0")/env.sh"
[ -e "/run/netns/$WEFT_KUBE" ] || die "no cluster runs: make kube-up"
export IMAGE_TAG=${IMAGE_TAG:-dev}
export PATH="$STATE/images/$IMAGE_TAG/bin:$BIN:$PATH" # weft as it is in the images, and kubectl
exec nsenter --net="/run/netns/$WEFT_KUBE" -- "$@"
