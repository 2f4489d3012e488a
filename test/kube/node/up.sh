#!/usr/bin/env bash
# up.sh [--for PID | --restart PART]
# Brings up a real single-node Kubernetes in a network namespace of its own and prints KUBECONFIG=...; what runs already stays.
# What an earlier call left half done, or for a test run (--for PID) that is no more, is removed first.
set -euo pipefail
. "$(dirname "$0")/env.sh"
[ "$(id -u)" = 0 ] || die "the node needs root: namespaces, containers, nftables"

# network: without a default route, nothing in the namespace can reach outside.
network() {
  [ -e "/run/netns/$WEFT_KUBE" ] && return 0
  local ip="ip -n $WEFT_KUBE"
  ip netns add "$WEFT_KUBE"
  $ip link set lo up
  $ip link add node0 type veth peer name node0p
  $ip link set node0p up
  $ip addr add "$NODE_IP/24" dev node0
  $ip link set node0 up
  for cidr in $SVC_CIDR $LB_CIDR; do $ip route add "$cidr" dev node0 src $NODE_IP; done # a local socket needs a route before DNAT
  in_ns sysctl -qw net.ipv4.ip_forward=1 net.bridge.bridge-nf-call-iptables=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
}

# machine: what the kubelet sets for the whole machine is kept for down.sh to put back.
machine() {
  local keys="kernel.panic kernel.panic_on_oops vm.overcommit_memory vm.panic_on_oom kernel.keys.root_maxkeys kernel.keys.root_maxbytes fs.inotify.max_user_instances"
  # shellcheck disable=SC2086
  [ -f "$STATE/sysctl.before" ] || sysctl $keys >"$STATE/sysctl.before"
  [ "$(sysctl -n fs.inotify.max_user_instances)" -ge 8192 ] || sysctl -qw fs.inotify.max_user_instances=8192
  # hostPath with mountPropagation needs shared mounts, and a machine's / may be private.
  mountpoint -q "$RUN/mnt" || { touch "$RUN/mnt"; unshare --mount="$RUN/mnt" --propagation shared true; }
}

# written FILE: has its input as content. It is left alone if it has: kube-proxy ends when its configuration is written.
written() {
  cat >"$1.new"
  if cmp -s "$1.new" "$1"; then rm "$1.new"; else mv "$1.new" "$1"; fi
}

# start NAME COMMAND...: in the node's namespaces, unless it runs.
start() {
  local name=$1
  shift
  alive "$name" || launch "$name" nsenter --net="/run/netns/$WEFT_KUBE" --mount="$RUN/mnt" -- "$@"
}
# launch NAME COMMAND...: in the background, its log and process noted.
launch() {
  local name=$1
  shift
  setsid nohup "$@" >>"$LOGS/$name.log" 2>&1 </dev/null 9>&- &
  echo "$! $(born $!)" >"$PIDS/$name"
}

etcd() {
  start etcd "$BIN/etcd" --name e --data-dir "$STATE/etcd" --unsafe-no-fsync --quota-backend-bytes 8589934592 --log-level warn \
    --auto-compaction-mode periodic --auto-compaction-retention 5m \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \
    --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster e=http://127.0.0.1:2380
}

apiserver() {
  start kube-apiserver "$BIN/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --bind-address 0.0.0.0 --secure-port "$API_PORT" \
    --advertise-address $NODE_IP --service-cluster-ip-range $SVC_CIDR --allow-privileged --authorization-mode Node,RBAC \
    --enable-admission-plugins NodeRestriction --client-ca-file "$PKI/ca.crt" \
    --tls-cert-file "$PKI/apiserver.crt" --tls-private-key-file "$PKI/apiserver.key" \
    --kubelet-client-certificate "$PKI/apiserver-kubelet-client.crt" --kubelet-client-key "$PKI/apiserver-kubelet-client.key" \
    --kubelet-certificate-authority "$PKI/ca.crt" --kubelet-preferred-address-types InternalIP \
    --service-account-issuer https://kubernetes.default.svc.cluster.local \
    --service-account-key-file "$PKI/sa.pub" --service-account-signing-key-file "$PKI/sa.key" \
    --requestheader-client-ca-file "$PKI/front-proxy-ca.crt" --requestheader-allowed-names front-proxy-client \
    --requestheader-extra-headers-prefix X-Remote-Extra- --requestheader-group-headers X-Remote-Group \
    --requestheader-username-headers X-Remote-User \
    --proxy-client-cert-file "$PKI/front-proxy-client.crt" --proxy-client-key-file "$PKI/front-proxy-client.key"
  # The same address leads to it from outside the namespace, so one kubeconfig serves both.
  alive forward || launch forward "$BIN/kubetool" forward -listen "127.0.0.1:$API_PORT" -netns "/run/netns/$WEFT_KUBE" -dial "127.0.0.1:$API_PORT"
}

runtime() {
  written "$STATE/cni/10-bridge.conflist" <<J
{"cniVersion":"1.0.0","name":"bridge","plugins":[
 {"type":"bridge","bridge":"cni0","isGateway":true,"isDefaultGateway":true,"ipMasq":false,"hairpinMode":true,
  "ipam":{"type":"host-local","dataDir":"$STATE/cni-ipam","ranges":[[{"subnet":"$NODE_POD_CIDR"}]]}},
 {"type":"portmap","capabilities":{"portMappings":true}}]}
J
  # restrict_oom_score_adj: root may lack CAP_SYS_RESOURCE, and runc then fails with "can't get final child's PID".
  written "$STATE/containerd.toml" <<J
version = 2
root = "$STATE/containerd"
state = "$RUN/containerd"
[grpc]
  address = "$RUN/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:3.10"
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$STATE/cni"
J
  start containerd containerd -c "$STATE/containerd.toml"
  until_ok 30 "containerd answers" ctr version
  "$HERE/import.sh" "$IMG"/*.tar
}

kubelet() {
  : >"$STATE/resolv.conf"
  written "$STATE/kubelet.yaml" <<J
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $PKI/kubelet.crt
tlsPrivateKeyFile: $PKI/kubelet.key
containerRuntimeEndpoint: unix://$RUN/containerd.sock
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
clusterDNS: [$DNS_IP]
clusterDomain: cluster.local
resolvConf: $STATE/resolv.conf
maxPods: 250
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard: {memory.available: 100Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
podLogsDir: $STATE/pod-logs
staticPodPath: ""
nodeStatusUpdateFrequency: 5s
shutdownGracePeriod: 0s
kubeAPIQPS: 200
kubeAPIBurst: 400
volumePluginDir: $STATE/volume-plugins
J
  start kubelet "$BIN/kubelet" --config "$STATE/kubelet.yaml" --kubeconfig "$PKI/kubelet.kubeconfig" --root-dir "$STATE/kubelet" \
    --hostname-override $NODE --node-ip $NODE_IP
}

proxy() { # conntrack's limits are the machine's, and read-only in a namespace
  written "$STATE/kube-proxy.yaml" <<J
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: $PROXY_MODE
hostnameOverride: $NODE
clusterCIDR: $POD_CIDR
clientConnection: {kubeconfig: $PKI/kube-proxy.kubeconfig}
metricsBindAddress: 127.0.0.1:10249
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
J
  # A chain that the last kube-proxy had emptied and not yet removed would stay empty.
  alive kube-proxy || in_ns nft delete table ip kube-proxy 2>/dev/null || true
  start kube-proxy "$BIN/kube-proxy" --config "$STATE/kube-proxy.yaml"
}

# controllers start when the API server is ready: before, their first refusals cost them seconds of back-off.
controllers() {
  local name kubeconfig common="--bind-address 127.0.0.1 --leader-elect=false --kube-api-qps 300 --kube-api-burst 600"
  for name in controller-manager scheduler; do
    kubeconfig=$PKI/$name.kubeconfig
    local args="--kubeconfig $kubeconfig --authentication-kubeconfig $kubeconfig --authorization-kubeconfig $kubeconfig $common"
    [ $name = scheduler ] || args+=" --use-service-account-credentials --root-ca-file $PKI/ca.crt --service-account-private-key-file $PKI/sa.key
      --cluster-signing-cert-file $PKI/ca.crt --cluster-signing-key-file $PKI/ca.key --allocate-node-cidrs --cluster-cidr $POD_CIDR
      --node-cidr-mask-size 24 --service-cluster-ip-range $SVC_CIDR --client-ca-file $PKI/ca.crt --requestheader-client-ca-file $PKI/front-proxy-ca.crt"
    # shellcheck disable=SC2086
    start "kube-$name" "$BIN/kube-$name" $args
  done
  start loadbalancer env KUBECONFIG="$KUBECONFIG" "$BIN/loadbalancer" -addresses $LB_CIDR
}

# alone: kubelets of one machine take each other's pods for orphans, and end them.
alone() {
  local other
  for other in "$WEFT_KUBE_CACHE"/clusters/*/; do
    other=$(basename "$other")
    [ "$other" = "$WEFT_KUBE" ] || ! PIDS=$WEFT_KUBE_CACHE/clusters/$other/pids alive kubelet || die "the cluster $other runs: WEFT_KUBE=$other make kube-down"
  done
}

up() {
  alone
  if [ -d "$STATE" ] && { [ ! -f "$STATE/ready" ] || { [ -f "$PIDS/owner" ] && ! alive owner; }; }; then
    say "removing what an unfinished run left"
    "$HERE/down.sh" --purge --locked
  fi
  mkdir -p "$PKI" "$LOGS" "$PIDS" "$RUN" "$STATE/cni"
  network
  machine
  [ -s "$PKI/sa.pub" ] || "$BIN/kubetool" certs -dir "$PKI" -server "https://127.0.0.1:$API_PORT" -node $NODE -node-ip $NODE_IP -service-ip $SVC_IP
  etcd
  apiserver
  runtime
  kubelet
  proxy
  until_ok 120 "the API server is ready" kubectl get --raw /readyz
  say "API server is ready"
  controllers
  sed -e "s/@DNS_IP@/$DNS_IP/" -e "s/@VERSION@/$COREDNS_VERSION/" "$HERE/coredns.yaml" | kubectl apply -f - >/dev/null
  until_ok 120 "the node registers" kubectl get node $NODE
  kubectl wait --for=condition=Ready node/$NODE --timeout=120s >/dev/null
  kubectl -n kube-system rollout status deploy/coredns --timeout=180s >/dev/null
  [ -z "${OWNER:-}" ] || echo "$OWNER $(born "$OWNER")" >"$PIDS/owner"
  touch "$STATE/ready"
  say "node is ready, DNS answers"
}

# restart ends one part, to see what others make of it; up starts it again.
restart() {
  alive "$1" || die "$1 does not run: the parts are $(ls "$PIDS")"
  stop "$1"
  up
}

OWNER=
case ${1:-} in
--restart) locked cluster restart "$2" ;;
--for)
  OWNER=$2
  "$HERE/build.sh"
  locked cluster up
  ;;
*)
  "$HERE/build.sh"
  locked cluster up
  ;;
esac
echo "KUBECONFIG=$KUBECONFIG"
