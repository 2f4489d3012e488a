#!/usr/bin/env bash
# Says why this machine cannot run the cluster, and nothing if it can: containers need root, a cgroup tree to write to, overlay mounts and
# network namespaces, which some sandboxes do not give even to root.
set -u
try() { "$@" >/dev/null 2>&1; }
why() { echo "$1"; exit 0; }
[ "$(id -u)" = 0 ] || why "it needs root"
probe=/sys/fs/cgroup/weft-probe-$$
{ try mkdir "$probe" && try rmdir "$probe"; } || why "the cgroup tree cannot be written to"
try unshare --mount sh -c 'd=$(mktemp -d) && mount -t tmpfs none "$d" && mkdir "$d/l" "$d/u" "$d/w" "$d/m" &&
  mount -t overlay overlay -o "lowerdir=$d/l,upperdir=$d/u,workdir=$d/w" "$d/m"' || why "overlay file systems cannot be mounted"
try unshare --net true || why "network namespaces cannot be made"
