# Versions, addresses and folders of the test cluster; sourced by the scripts beside it. Everything can be set from outside.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../../.." && pwd)
: "${KUBE_VERSION:=v1.35.4}"      # of the module k8s.io/kubernetes
: "${COREDNS_VERSION:=v1.14.7}"   # must be what ../coredns/go.mod requires
: "${WEFT_KUBE:=weft-kube}"       # names the cluster: its state, sockets and network namespace
: "${WEFT_KUBE_CACHE:=${XDG_CACHE_HOME:-$HOME/.cache}/weft/kube}"
: "${API_PORT:=6443}"             # of the API server, on loopback inside and outside the namespace
: "${PROXY_MODE:=nftables}"       # of kube-proxy: nftables | iptables
NODE=node1 NODE_IP=10.90.0.2
POD_CIDR=10.244.0.0/16 NODE_POD_CIDR=10.244.0.0/24 # the machine needs no route to them: they exist in the namespace only
SVC_CIDR=10.96.0.0/16 SVC_IP=10.96.0.1 DNS_IP=10.96.0.10
LB_CIDR=10.97.0.0/24              # of LoadBalancer Services

BIN=$WEFT_KUBE_CACHE/$KUBE_VERSION/bin  # built once a machine
IMG=$WEFT_KUBE_CACHE/$KUBE_VERSION/img
STATE=$WEFT_KUBE_CACHE/clusters/$WEFT_KUBE PKI=$STATE/pki LOGS=$STATE/logs PIDS=$STATE/pids
RUN=/run/$WEFT_KUBE
export KUBECONFIG=$PKI/admin.kubeconfig

START=$EPOCHREALTIME
say() { printf '[%5.1fs] %s\n' "$(echo "$EPOCHREALTIME - $START" | bc)" "$*" >&2; }
die() { echo "test/kube: $*" >&2; exit 1; }
in_ns() { nsenter --net="/run/netns/$WEFT_KUBE" -- "$@"; }
kubectl() { in_ns "$BIN/kubectl" "$@"; }
ctr() { command ctr -a "$RUN/containerd.sock" -n k8s.io "$@"; }

# born PID: when it started, which tells a process from a later one of the same number.
born() { awk '{print $22}' "/proc/$1/stat" 2>/dev/null; }
# alive NAME: the process that its file names is there still.
alive() {
  local pid start
  [ -f "$PIDS/$1" ] && read -r pid start <"$PIDS/$1" && [ -n "$start" ] && [ "$(born "$pid")" = "$start" ]
}
# stop NAME: ends its process, at last by force.
stop() {
  local pid start
  if alive "$1"; then
    read -r pid start <"$PIDS/$1"
    kill "$pid"
    for _ in $(seq 100); do alive "$1" || break; sleep 0.1; done
    ! alive "$1" || kill -9 "$pid"
  fi
  rm -f "$PIDS/$1"
}
# until_ok SECONDS WHAT COMMAND...: polls until the command succeeds.
until_ok() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  while ! "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $deadline ] || die "$what: not within its time; the logs are in $LOGS"
    sleep 0.1
  done
}
# locked NAME COMMAND...: one at a time on this machine.
locked() {
  local lock=$WEFT_KUBE_CACHE/$1.lock
  shift
  mkdir -p "$WEFT_KUBE_CACHE"
  ( flock 9; "$@" ) 9>"$lock"
}
