#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# node.sh: the first process of a node, in namespaces of its own. hack/cluster.sh starts it, sets the variables that begin with CLUSTER_,
# and waits for the file "ready". All that this starts ends with it; mounts, routes and packet filters go with the namespaces.
set -euo pipefail

readonly state=$CLUSTER_STATE
readonly pki=$state/pki kubectl="$CLUSTER_CONTROL_PLANE/kubectl --kubeconfig $state/pki/admin.kubeconfig --cache-dir $state/kubectl-cache"
# containerd looks for its shim there.
export PATH=$CLUSTER_PROGRAMS/bin:$PATH
# The programs by process ID.
declare -A names

main() {
  ulimit -n "$(ulimit -Hn)"
  prepare_mounts
  prepare_network
  start_etcd
  start_containerd
  start_api_server
  import_images
  wait_until 'the API server is ready' "$kubectl get --raw /readyz"
  start_controllers
  start_node_agents
  $kubectl apply --server-side -f "$(dirname "$0")/addons"
  wait_until 'the node is ready' "$kubectl wait --for=condition=Ready node/$CLUSTER_NODE --timeout=5s"
  # Pods need it, and it is made a while after the namespace.
  wait_until 'the default ServiceAccount is there' "$kubectl -n default get serviceaccount default"
  wait_until 'names are resolved' "$kubectl -n kube-system rollout status deployment/coredns --timeout=5s"
  say 'ready'
  touch "$state/ready"
  reap
}

say() { printf '%(%T)T %s\n' -1 "$*"; }

start() { # start NAME COMMAND…
  local name=$1
  shift
  say "starting $name"
  "$@" >"$state/log/$name.log" 2>&1 &
  names[$!]=$name
}

wait_until() { # wait_until WHAT COMMAND
  local deadline=$((SECONDS + 100))
  until $2 >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      say "not after all this time: $1"
      exit 1
    fi
    sleep 0.1
  done
  say "$1"
}

# reap says which of the programs has ended, and waits as long as the node is there. (Bash itself waits for processes that were left behind.)
reap() {
  local pid code
  while [ "${#names[@]}" -gt 0 ]; do
    code=0
    wait -n -p pid || code=$?
    if [ -n "${pid:-}" ]; then
      say "${names[$pid]} has ended with exit code $code"
      unset "names[$pid]"
    fi
  done
  sleep infinity
}

prepare_mounts() {
  local path
  mount --make-rshared /
  hostname "$CLUSTER_NODE"
  # The programs insist on these; their contents are nothing to the host.
  for path in /run/netns /run/containerd /var/lib/cni /var/lib/kubelet /var/log/containers; do
    mount -t tmpfs tmpfs "$path"
    mount --make-shared "$path"
  done
  # Where the controller manager's provisioner makes its folders.
  mount --bind "$state/volumes" /tmp/hostpath_pv
}

prepare_network() {
  ip link set lo up
  for _ in {1..100}; do
    if ip link show eth0 >/dev/null 2>&1; then break; fi
    sleep 0.1
  done
  ip address add "$CLUSTER_ADDRESS/30" dev eth0
  ip link set eth0 up
  ip route add default via "$CLUSTER_HOST"
  echo 1 >/proc/sys/net/ipv4/ip_forward
  # Services must also work between pods of the one bridge. Where the module is not there, the kernel does not filter bridges.
  echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables || say 'bridged packets are not filtered here'
}

# Data lives as long as the cluster: nothing is gained by waiting for the disk.
start_etcd() {
  start etcd "$CLUSTER_CONTROL_PLANE/etcd" --data-dir "$state/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
}

start_containerd() {
  start containerd "$CLUSTER_PROGRAMS/bin/containerd" --config "$state/containerd.toml"
}

start_api_server() {
  start kube-apiserver "$CLUSTER_CONTROL_PLANE/kube-apiserver" \
    --advertise-address="$CLUSTER_ADDRESS" --secure-port=6443 --etcd-servers=http://127.0.0.1:2379 \
    --service-cluster-ip-range="$CLUSTER_SERVICES" --allow-privileged=true \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --audit-policy-file="$(dirname "$0")/config/audit.yaml" --audit-log-path="$state/log/audit.json" \
    --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --kubelet-client-certificate="$pki/apiserver-kubelet.crt" --kubelet-client-key="$pki/apiserver-kubelet.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc.cluster.local \
    --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key"
}

import_images() {
  local archive socket=$state/run/containerd.sock
  wait_until 'containerd is ready' "ctr --address $socket version"
  for archive in "$CLUSTER_PROGRAMS"/images/*.tar; do
    ctr --address "$socket" --namespace k8s.io images import "$archive"
  done
}

start_controllers() {
  start kube-controller-manager "$CLUSTER_PROGRAMS/bin/kube-controller-manager" --kubeconfig="$pki/controller-manager.kubeconfig" --bind-address=127.0.0.1 --leader-elect=false \
    --authentication-kubeconfig="$pki/controller-manager.kubeconfig" --authorization-kubeconfig="$pki/controller-manager.kubeconfig" \
    --use-service-account-credentials=true --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" \
    --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
    --allocate-node-cidrs=true --cluster-cidr="$CLUSTER_PODS" --service-cluster-ip-range="$CLUSTER_SERVICES" \
    --enable-hostpath-provisioner=true --flex-volume-plugin-dir="$state/kubelet/plugins"
  start volumes open_volumes
  start kube-scheduler "$CLUSTER_PROGRAMS/bin/kube-scheduler" --kubeconfig="$pki/scheduler.kubeconfig" --bind-address=127.0.0.1 --leader-elect=false \
    --authentication-kubeconfig="$pki/scheduler.kubeconfig" --authorization-kubeconfig="$pki/scheduler.kubeconfig"
}

# open_volumes opens the folders that the provisioner makes. It makes them for root, and an fsGroup does not count for a host's folder; a real
# storage class would obey it.
open_volumes() {
  while sleep 0.2; do find "$state/volumes" -mindepth 1 -maxdepth 1 ! -perm 777 -exec chmod 777 {} +; done
}

start_node_agents() {
  start kubelet "$CLUSTER_PROGRAMS/bin/kubelet" --config="$state/kubelet.yaml" --kubeconfig="$pki/kubelet.kubeconfig" \
    --root-dir="$state/kubelet" --cert-dir="$state/kubelet/pki" --hostname-override="$CLUSTER_NODE" --node-ip="$CLUSTER_ADDRESS"
  start kube-proxy "$CLUSTER_PROGRAMS/bin/kube-proxy" --config="$state/kube-proxy.yaml" --hostname-override="$CLUSTER_NODE"
}

main
