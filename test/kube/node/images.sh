#!/usr/bin/env bash
# Builds the images that tests use from this checkout and puts them into the node. Pods name them without a registry;
# IMAGE_TAG makes them beside those of another checkout:
#   weft:dev                    bin/weft, and git, not root
#   weft-proxy:dev              bin/weft-agent and the pinned Envoy with its libraries, user 1337
#   shop:dev                    examples/shop: give the service and "--host 0.0.0.0 --port N" as args
#   shop-load:dev               examples/shop/load
#   bookinfo-PART-VERSION:dev   the shop playing a part of Bookinfo at port 9080
#   releases-VERSION:dev        test/releases/shop at port 9080: v1, v2, and bad, which fails every fifth request
# An image of your own: kubetool image -o FILE.tar -t NAME:TAG ... (kubetool says how), then import.sh FILE.tar.
set -euo pipefail
. "$(dirname "$0")/env.sh"
[ -f "$STATE/ready" ] || die "no cluster runs: make kube-up"
: "${IMAGE_TAG:=dev}"
OUT=$STATE/images/$IMAGE_TAG
BOOKINFO="productpage-v1 details-v1 details-v2 reviews-v1 reviews-v2 reviews-v3 ratings-v1 ratings-v2"

image() { # NAME ARGUMENT...
  local name=$1
  shift
  "$BIN/kubetool" image -o "$OUT/$name.tar" -t "$name:$IMAGE_TAG" "$@"
}

images() {
  mkdir -p "$OUT/bin"
  cd "$ROOT"
  # As make builds, or all is compiled anew.
  export GOFLAGS=-tags=kustomize_disable_go_plugin_support CGO_ENABLED=0
  nice go build -ldflags "-s -w" -o "$OUT/bin/" ./cmd/weft ./cmd/weft-agent ./examples/shop ./examples/shop/load
  nice go build -ldflags "-s -w" -o "$OUT/bin/releases" ./test/releases/shop
  local envoy part version programs
  envoy=$("$OUT/bin/weft" envoy)
  programs=$(git --exec-path)
  image weft -user 65532:65532 -entrypoint /weft -add "$OUT/bin/weft:/weft" \
    -ldd "$(command -v git):/usr/bin/git" -ldd "$programs/git-remote-http:$programs/git-remote-http"
  image weft-proxy -user 1337:1337 -entrypoint /weft-agent -env WEFT_ENVOY=/usr/local/bin/envoy \
    -add "$OUT/bin/weft-agent:/weft-agent" -ldd "$envoy:/usr/local/bin/envoy"
  image shop -user 65532:65532 -entrypoint /shop -add "$OUT/bin/shop:/shop"
  image shop-load -user 65532:65532 -entrypoint /load -add "$OUT/bin/load:/load"
  for part in $BOOKINFO; do
    image "bookinfo-$part" -user 65532:65532 -env "WEFT_VERSION=${part#*-}" \
      -entrypoint "/shop,bookinfo-${part%%-*},--host,0.0.0.0,--port,9080" -add "$OUT/bin/shop:/shop"
  done
  for version in v1 v2 bad; do
    image "releases-$version" -user 65532:65532 -env "WEFT_VERSION=$version" -env LISTEN=:9080 -entrypoint /releases -add "$OUT/bin/releases:/releases"
  done
  "$HERE/import.sh" "$OUT"/*.tar
}
locked images images
