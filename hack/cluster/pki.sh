#!/usr/bin/env bash
# Copyright The transcription-operator Authors.
# SPDX-License-Identifier: Apache-2.0
#
# pki.sh FOLDER ADDRESS NODE KUBECTL: keys, certificates and kubeconfigs of a cluster of one node. They are thrown away with it.
set -euo pipefail

readonly folder=$1 address=$2 node=$3 kubectl=$4
readonly days=30

main() {
  umask 077
  mkdir -p "$folder"
  cd "$folder"
  authority
  certificate apiserver /CN=kube-apiserver serverAuth \
    "IP:127.0.0.1,IP:$address,IP:10.96.0.1,DNS:localhost,DNS:$node,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
  certificate apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
  certificate kubelet-server "/O=system:nodes/CN=system:node:$node" serverAuth "IP:$address,IP:127.0.0.1,DNS:$node"
  user admin /O=system:masters/CN=admin
  user controller-manager /CN=system:kube-controller-manager
  user scheduler /CN=system:kube-scheduler
  user proxy /CN=system:kube-proxy
  user kubelet "/O=system:nodes/CN=system:node:$node"
  # For the tokens of ServiceAccounts.
  openssl genrsa -out sa.key 2048 2>/dev/null
  openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
}

key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

authority() {
  key ca
  openssl req -x509 -new -key ca.key -sha256 -days "$days" -subj /CN=ca -out ca.crt \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}

certificate() { # certificate NAME SUBJECT PURPOSE [ALTERNATIVE-NAMES]
  local extensions=(keyUsage=digitalSignature "basicConstraints=critical,CA:FALSE" "extendedKeyUsage=$3")
  if [ -n "${4:-}" ]; then extensions+=("subjectAltName=$4"); fi
  key "$1"
  openssl req -new -key "$1.key" -subj "$2" |
    openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days "$days" -sha256 \
      -extfile <(printf '%s\n' "${extensions[@]}") -out "$1.crt" 2>/dev/null
}

user() { # user NAME SUBJECT
  certificate "$1" "$2" clientAuth
  local config=("$kubectl" config --kubeconfig "$1.kubeconfig")
  {
    "${config[@]}" set-cluster e2e --server="https://$address:6443" --certificate-authority=ca.crt --embed-certs
    "${config[@]}" set-credentials "$1" --client-certificate="$1.crt" --client-key="$1.key" --embed-certs
    "${config[@]}" set-context e2e --cluster=e2e --user="$1"
    "${config[@]}" use-context e2e
  } >/dev/null
}

main
