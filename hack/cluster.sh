#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# cluster.sh: a real cluster of one node without a container engine, for tests.
#
#   hack/cluster.sh up                  starts it, waits until pods can run, and prints the path of a kubeconfig
#   hack/cluster.sh load ARCHIVE…       gives images to the node, as `docker save` or `make images` writes them
#   hack/cluster.sh status              says whether it runs, and what is not ready
#   hack/cluster.sh logs                prints the last lines of all its logs
#   hack/cluster.sh down                ends it and removes all that is left of it
#
# etcd, the whole of Kubernetes, containerd, runc, the network plugins and CoreDNS are built from Go modules on first use (hack/control-plane.sh,
# hack/cluster/build.sh). They run in namespaces of their own, mount, network and processes included, below one process: when that
# ends, everything ends. The host sees one network interface, by which it reaches the API server, and a cgroup.
#
# There is a storage class that provisions volumes as folders of the node, and is the default. Pod security is enforced as namespaces ask for
# it. The network is a bridge: NetworkPolicies are accepted, and not enforced.
#
# It needs Linux, root, and iptables, nftables, iproute2 and openssl (with gcc and libseccomp-dev, to build runc). It was tried on
# cgroup v1; what it does on cgroup v2 is written by the book and was not tried.
#
# Environment:
#   CLUSTER          its name (default e2e); several can run at once
#   CLUSTER_FOLDER   where each has a folder of its own (default /var/tmp/transcription-operator-clusters). Keep it short: the paths
#                    of Unix sockets have at most 107 characters
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly here=$PWD/hack/cluster

readonly name=${CLUSTER:-e2e}
readonly folder=${CLUSTER_FOLDER:-/var/tmp/transcription-operator-clusters}
# What node.sh and the templates in hack/cluster/config need to know.
export CLUSTER_STATE=$folder/$name CLUSTER_NODE=node1 CLUSTER_PODS=10.244.0.0/16 CLUSTER_SERVICES=10.96.0.0/16 CLUSTER_DNS=10.96.0.10

# Folders that the programs insist on. On the host they stay empty: the node mounts something else over each.
readonly mount_points=(/run/netns /run/containerd /var/lib/cni /var/lib/kubelet /var/log/containers /tmp/hostpath_pv)
readonly most_clusters=64

say() { printf 'cluster: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

main() {
  case ${1:-} in
    up) up ;;
    load) load "${@:2}" ;;
    status) status ;;
    logs) tail -n 20 "$CLUSTER_STATE"/log/*.log ;;
    down) down ;;
    *)
      sed -n '5,12s/^# \{0,1\}//p' hack/cluster.sh >&2
      exit 2
      ;;
  esac
}

# --- up

up() {
  local start=$SECONDS
  check_host
  find_programs
  mkdir -p "$folder"
  exec 9>"$folder/lock"
  flock 9
  if runs; then
    exec 9>&-
    say "$name runs already"
  else
    sweep
    trap give_up EXIT
    prepare
    start_node
    exec 9>&-
    wait_until 120 'the node is ready' node_ready
    trap - EXIT
    say "$name is ready after $((SECONDS - start)) s"
  fi
  printf '%s\n' "$CLUSTER_STATE/admin.kubeconfig"
}

check_host() {
  local tool missing=()
  [ "$(uname)" = Linux ] || fail "this is not Linux; with a container engine, kind does the same (hack/kind)"
  [ "$(id -u)" = 0 ] || fail "namespaces, mounts and cgroups need root"
  for tool in ip iptables nft openssl unshare nsenter flock; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [ "${#missing[@]}" = 0 ] || fail "not found: ${missing[*]} (apt-get install iptables nftables iproute2 openssl util-linux)"
}

find_programs() {
  CLUSTER_CONTROL_PLANE=$(hack/control-plane.sh)
  CLUSTER_PROGRAMS=$(hack/cluster/build.sh)
  export CLUSTER_CONTROL_PLANE CLUSTER_PROGRAMS
}

give_up() {
  say "it did not start; the last lines of its logs:"
  tail -n 8 "$CLUSTER_STATE"/log/*.log >&2 || true
  down
}

prepare() {
  local number
  number=$(free_number)
  mkdir -p "$CLUSTER_STATE"/{log,etcd,kubelet,pods,containerd,volumes,run,cni}
  printf '%s\n' "$number" >"$CLUSTER_STATE/number"
  identify "$number"
  local path
  for path in "${mount_points[@]}"; do
    if ! [ -d "$path" ]; then
      mkdir -p "$path"
      printf '%s\n' "$path" >>"$folder/mount-points"
    fi
  done
  hack/cluster/pki.sh "$CLUSTER_STATE/pki" "$CLUSTER_ADDRESS" "$CLUSTER_NODE" "$CLUSTER_CONTROL_PLANE/kubectl"
  cp "$CLUSTER_STATE/pki/admin.kubeconfig" "$CLUSTER_STATE/admin.kubeconfig"
  CLUSTER_SNAPSHOTTER=$(snapshotter)
  export CLUSTER_SNAPSHOTTER
  render containerd.toml >"$CLUSTER_STATE/containerd.toml"
  render kubelet.yaml >"$CLUSTER_STATE/kubelet.yaml"
  render kube-proxy.yaml >"$CLUSTER_STATE/kube-proxy.yaml"
  render bridge.conflist >"$CLUSTER_STATE/cni/10-bridge.conflist"
  printf 'nameserver %s\n' "$CLUSTER_HOST" >"$CLUSTER_STATE/resolv.conf"
}

# free_number: tells apart the clusters that run at once. Everything that the host sees is named after it.
free_number() {
  local number
  for ((number = 0; number < most_clusters; number++)); do
    ip link show "kube$number" >/dev/null 2>&1 || [ -d "$(cgroups | head -n 1)/kube$number" ] || {
      echo "$number"
      return
    }
  done
  fail "$most_clusters clusters run already"
}

identify() { # identify NUMBER
  export CLUSTER_INTERFACE=kube$1 CLUSTER_CGROUP=/kube$1 CLUSTER_HOST=10.200.$1.1 CLUSTER_ADDRESS=10.200.$1.2
}

# render TEMPLATE: with every ${CLUSTER_…} replaced by the variable's value.
render() {
  local text variable
  text=$(<"$here/config/$1")
  for variable in "${!CLUSTER_@}"; do
    text=${text//"\${$variable}"/"${!variable}"}
  done
  if [[ $text == *\$\{* ]]; then fail "$1 needs a variable that is not set"; fi
  printf '%s\n' "$text"
}

# snapshotter: overlayfs, unless the folder's file system cannot carry one, as when it is an overlay itself.
snapshotter() {
  local probe=$CLUSTER_STATE/probe
  mkdir -p "$probe"/{lower,upper,work,merged}
  if unshare --mount mount -t overlay overlay -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" "$probe/merged" 2>/dev/null; then
    echo overlayfs
  else
    echo native
  fi
  rm -rf "$probe"
}

start_node() {
  local parent child
  make_cgroups
  # Without the lock's descriptor, which would be held as long as the node runs.
  setsid unshare --mount --uts --ipc --pid --net --fork --kill-child --mount-proc --propagation private \
    "$here/node.sh" >"$CLUSTER_STATE/log/node.log" 2>&1 </dev/null 9>&- &
  parent=$!
  wait_until 10 'the node has its first process' has_child "$parent"
  child=$(children "$parent")
  printf '%s %s\n' "$child" "$(started "$child")" >"$CLUSTER_STATE/process"
  ip link add "$CLUSTER_INTERFACE" type veth peer name eth0 netns "$child"
  ip address add "$CLUSTER_HOST/30" dev "$CLUSTER_INTERFACE"
  ip link set "$CLUSTER_INTERFACE" up
}

# children PID: a process that has one has nothing else to print.
children() { tr -d ' ' <"/proc/$1/task/$1/children"; }

has_child() { [ -n "$(children "$1")" ]; }

# started PID: when a process has started, which tells it from a later one with the same ID.
started() { sed 's/^.*) //' "/proc/$1/stat" | cut -d ' ' -f 20; }

node_ready() { [ -e "$CLUSTER_STATE/ready" ]; }

wait_until() { # wait_until SECONDS WHAT COMMAND…
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "not after all this time: $what"
    if [ -e "$CLUSTER_STATE/process" ]; then runs || fail "the node has ended by itself"; fi
    sleep 0.1
  done
}

# --- cgroups

# cgroups: the hierarchies, a line each. Version 1 has one for each controller, version 2 has one in all.
cgroups() {
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    echo /sys/fs/cgroup
  else
    find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d ! -name unified
  fi
}

make_cgroups() {
  local hierarchy file
  for hierarchy in $(cgroups); do
    mkdir -p "$hierarchy$CLUSTER_CGROUP"
    # A new group of the controller cpuset, version 1, has no processors and no memory.
    for file in cpuset.cpus cpuset.mems; do
      if [ -e "$hierarchy/notify_on_release" ] && [ -e "$hierarchy/$file" ]; then cat "$hierarchy/$file" >"$hierarchy$CLUSTER_CGROUP/$file"; fi
    done
    # Version 2: children have the controllers that their parent passes on.
    if [ -e "$hierarchy/cgroup.subtree_control" ]; then
      sed 's/[^ ]\+/+&/g' "$hierarchy/cgroup.controllers" >"$hierarchy/cgroup.subtree_control"
    fi
  done
}

# remove_cgroups looks everywhere: beside version 1, the programs use version 2 as well where both are mounted.
remove_cgroups() {
  local group
  for group in "/sys/fs/cgroup$CLUSTER_CGROUP" /sys/fs/cgroup/*"$CLUSTER_CGROUP"; do
    if [ -d "$group" ]; then find "$group" -depth -type d -exec rmdir {} +; fi
  done
}

# --- while it runs

# runs: whether the node's first process is there.
runs() {
  local child start
  read -r child start <"$CLUSTER_STATE/process" 2>/dev/null && [ "$(started "$child" 2>/dev/null)" = "$start" ]
} 2>/dev/null

load() {
  local archive child
  runs || fail "$name does not run (hack/cluster.sh up)"
  find_programs
  read -r child _ <"$CLUSTER_STATE/process"
  for archive in "$@"; do
    # In the node's mounts, so that what is unpacked is found there.
    nsenter --target "$child" --mount "$CLUSTER_PROGRAMS/bin/ctr" --address "$CLUSTER_STATE/run/containerd.sock" --namespace k8s.io \
      images import "$(realpath "$archive")" >&2
  done
}

status() {
  runs || fail "$name does not run"
  find_programs
  "$CLUSTER_CONTROL_PLANE/kubectl" --kubeconfig "$CLUSTER_STATE/admin.kubeconfig" get nodes,pods --all-namespaces --output wide
}

# --- down

down() {
  if [ -d "$CLUSTER_STATE" ]; then
    exec 9>"$folder/lock"
    flock 9
    if runs; then stop_node; fi
    sweep
    say "$name is gone"
  else
    say "there is no cluster $name"
  fi
}

# stop_node ends the first process, and with it the kernel ends all others of the node.
stop_node() {
  local child
  read -r child _ <"$CLUSTER_STATE/process"
  kill -KILL "$child"
  for _ in {1..300}; do
    runs || return 0
    sleep 0.1
  done
  fail "process $child does not end"
}

# sweep removes what is left of a node that does not run. The mounts have ended with the node's namespace.
sweep() {
  local path
  [ -d "$CLUSTER_STATE" ] || return 0
  if [ -e "$CLUSTER_STATE/number" ]; then
    identify "$(<"$CLUSTER_STATE/number")"
    if ip link show "$CLUSTER_INTERFACE" >/dev/null 2>&1; then ip link delete "$CLUSTER_INTERFACE"; fi
    # The kernel may take a moment to empty the groups of what it has ended.
    for _ in {1..100}; do
      if remove_cgroups 2>/dev/null; then break; fi
      sleep 0.1
    done
    remove_cgroups
  fi
  rm -rf "$CLUSTER_STATE"
  # With the last cluster only: a folder that is removed here loses what other clusters have mounted over it.
  if [ -e "$folder/mount-points" ] && [ -z "$(find "$folder" -mindepth 1 -type d -print -quit)" ]; then
    while read -r path; do rmdir "$path" 2>/dev/null || true; done <"$folder/mount-points"
    rm "$folder/mount-points"
  fi
}

main "$@"
