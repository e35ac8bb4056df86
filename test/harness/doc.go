// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package harness runs the whole system as processes on this machine, and lets tests break it: a control plane of etcd and
// kube-apiserver, the provider's simulator, managers and webhook receivers, each with the rights that config/rbac gives it.
//
//	cluster, err := harness.StartCluster(ctx, dir, programs)   // once: it takes some five seconds
//	system, err := cluster.StartSystem(ctx, harness.SystemOptions{Name: "one", Managers: 2})
//	system.Managers[0].Kill()                                  // the supervisor starts it again, as a Deployment does
//	system.ManagerAPI.Cut()                                    // connections break; new ones are made
//	system.Public.Notifications()                              // what was received, and what was answered
//
// What stands between the processes, and can be broken:
//
//	managers  ── Provider ──▶ simulator ──▶ Public ──▶ receivers (public listeners)
//	managers  ── Internal ──────────────────────────▶ receivers (internal listeners)
//	managers  ── ManagerAPI ──▶ kube-apiserver ◀── ReceiverAPI ── receivers
//
// Provider, ManagerAPI and ReceiverAPI are TCP proxies ([Proxy]); Public and Internal stand for Services and the ingress ([Front]), and
// record what passes.
//
// Everything listens on loopback. Processes end with the one that started them, where the operating system can do that.
package harness
