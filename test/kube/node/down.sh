#!/usr/bin/env bash
# Stops what up.sh started, by process number. --purge also removes the cluster's state; the built binaries stay.
set -uo pipefail
. "$(dirname "$0")/env.sh"

containers() {
  alive containerd || return 0
  local id
  for id in $(ctr tasks ls -q); do ctr tasks rm -f "$id" >/dev/null 2>&1; done
  for id in $(ctr containers ls -q); do ctr containers rm "$id" >/dev/null 2>&1; done
}

# shims: one whose container could not be removed would outlive the cluster; it names our socket.
shims() {
  local proc
  for proc in /proc/[0-9]*; do
    if tr '\0' ' ' 2>/dev/null <"$proc/cmdline" | grep -q -- "-address $RUN/containerd.sock"; then kill -9 "${proc#/proc/}"; fi
  done
}

down() {
  [ -d "$STATE" ] || return 0
  local part mount hierarchy
  for part in kubelet kube-proxy; do stop $part; done
  containers
  for part in kube-scheduler kube-controller-manager kube-apiserver loadbalancer etcd containerd forward; do stop $part; done
  shims
  rm -f "$PIDS/owner"
  grep -F -e " $STATE/" -e " $RUN/" /proc/mounts | awk '{print $2}' | sort -r | while read -r mount; do umount -l "$mount"; done
  ip netns del "$WEFT_KUBE" 2>/dev/null
  for hierarchy in /sys/fs/cgroup/*/; do
    if [ -d "$hierarchy/kubepods" ]; then find "$hierarchy/kubepods" -depth -type d -exec rmdir {} + 2>/dev/null; fi
  done
  umount "$RUN/mnt" 2>/dev/null
  rm -rf "$RUN"
  if [ -f "$STATE/sysctl.before" ]; then sysctl -qp "$STATE/sysctl.before" && rm -f "$STATE/sysctl.before"; fi
  [ $PURGE = no ] || rm -rf "$STATE"
  say "the cluster is down"
}

PURGE=no LOCKED=no
for arg in "$@"; do
  case $arg in
  --purge) PURGE=yes ;;
  --locked) LOCKED=yes ;; # up.sh holds the lock
  *) die "down.sh takes --purge only, not $arg" ;;
  esac
done
if [ $LOCKED = yes ]; then down; else locked cluster down; fi
