#!/usr/bin/env bash
# Builds Kubernetes, etcd, CoreDNS and the base images into the cache, from the Go module proxy and Debian only.
# What is there already stays: several checkouts share it. The first time takes ten minutes of CPU.
set -euo pipefail
. "$(dirname "$0")/env.sh"
export GOFLAGS="-mod=mod -trimpath -buildvcs=false" CGO_ENABLED=0
PACKAGES=(containerd:containerd runc:runc conntrack:conntrack nft:nftables iptables:iptables ip:iproute2 bc:bc)

packages() {
  local need=() p
  for p in "${PACKAGES[@]}"; do command -v "${p%%:*}" >/dev/null || need+=("${p##*:}"); done
  [ -x /usr/lib/cni/bridge ] || need+=(containernetworking-plugins)
  [ ${#need[@]} -gt 0 ] || return 0
  echo "test/kube: apt-get install ${need[*]}" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
}

# ldflags make the binaries say their version, as upstream's build does.
ldflags() {
  local flags="-s -w" package minor=${KUBE_VERSION#v1.}
  for package in k8s.io/client-go/pkg/version k8s.io/component-base/version; do
    flags+=" -X $package.gitVersion=$KUBE_VERSION -X $package.gitMajor=1 -X $package.gitMinor=${minor%%.*}"
    flags+=" -X $package.gitTreeState=archive -X $package.gitCommit=gomodule -X $package.buildDate=1970-01-01T00:00:00Z"
  done
  echo "$flags"
}

# kubernetes: its own go.mod replaces modules by folders that the published module lacks; here they become the modules of the same version.
kubernetes() {
  [ -x "$BIN/kubelet" ] && [ -x "$BIN/etcd" ] && return 0
  say "building Kubernetes $KUBE_VERSION and etcd: ten minutes of CPU, once on this machine"
  local work dir
  work=$(mktemp -d)
  dir=$(cd "$work" && go mod download -json "k8s.io/kubernetes@$KUBE_VERSION" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  sed -e 's#^module .*#module weft.dev/test/kube/kubernetes#' \
    -e "s#=> ./staging/src/k8s.io/\(.*\)#=> k8s.io/\1 v0.${KUBE_VERSION#v1.}#" "$dir/go.mod" >"$work/go.mod"
  echo "require k8s.io/kubernetes $KUBE_VERSION" >>"$work/go.mod"
  cp "$dir/go.sum" "$work/go.sum"
  chmod u+w "$work/go.mod" "$work/go.sum"
  (cd "$work" && nice -n 10 go build -tags selinux,notest,grpcnotrace -ldflags "$(ldflags)" -o "$work/bin/" \
    k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet,kube-proxy,kubectl} go.etcd.io/etcd/server/v3)
  mv "$work"/bin/kube* "$BIN/"
  mv "$work"/bin/* "$BIN/etcd" # the only one left; its name depends on Go
  rm -rf "$work"
}

# tool NAME FOLDER PACKAGE: a binary from one of the modules beside this script.
tool() { (cd "$HERE/$2" && nice -n 10 go build -ldflags "-s -w" -o "$BIN/$1" "$3"); }

# once NAME FOLDER PACKAGE: the same, for what is expensive and changes only with its version.
once() { [ -x "$BIN/$1" ] || tool "$@"; }

# base_images: nettools is a small system with sh, curl, ip, nft and iptables, taken from this Debian.
base_images() {
  local xtables=/usr/lib/x86_64-linux-gnu/xtables nettools=(-ldd /bin/dash:/bin/sh) f
  for f in /usr/sbin/nft /usr/bin/ip /bin/cat /bin/sleep /usr/bin/curl "$xtables"/*.so; do nettools+=(-ldd "$f:$f"); done
  for f in iptables iptables-restore iptables-save; do nettools+=(-ldd "/usr/sbin/xtables-nft-multi:/usr/sbin/$f"); done
  "$BIN/kubetool" image -o "$IMG/pause.tar" -t localhost/pause:3.10 -entrypoint /pause -user 65535:65535 -add "$BIN/pause:/pause"
  "$BIN/kubetool" image -o "$IMG/coredns.tar" -t "coredns:$COREDNS_VERSION" -entrypoint /coredns -add "$BIN/coredns:/coredns"
  "$BIN/kubetool" image -o "$IMG/nettools.tar" -t nettools:v1 "${nettools[@]}"
}

build() {
  mkdir -p "$BIN" "$IMG"
  packages
  kubernetes
  once coredns ../coredns .
  tool kubetool . ./tool
  tool pause . ./pause
  tool loadbalancer ../../.. ./test/kube/loadbalancer
  base_images
}
if [ "${1:-}" = kwok ]; then
  locked build once kwok ../kwok sigs.k8s.io/kwok/cmd/kwok # 100 s of CPU, for those who need scale
else
  locked build build
fi
