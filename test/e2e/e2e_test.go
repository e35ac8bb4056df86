// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

var (
	kubeconfigFlag = flag.String("e2e.kubeconfig", "", "kubeconfig of a cluster that may be used up; without one, the tests are skipped")
	kubectlFlag    = flag.String("e2e.kubectl", "kubectl", "the program kubectl")
	kustomizeFlag  = flag.String("e2e.kustomize", "kustomize", "the program kustomize")
	helmFlag       = flag.String("e2e.helm", "helm", "the program helm")
	nodeFlag       = flag.String("e2e.node", "env", "the command, words with spaces between them, that runs another one where the node's processes are seen")
	rollingsFlag   = flag.Int("e2e.rollings", 1, "how often the receivers are replaced, one time after the other")
	systemFlag     = flag.String("e2e.system", "system", "the kustomization beside the tests that is installed")
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEndToEnd is one story: a step begins where the one before has ended, and after one that fails no other is begun.
func TestEndToEnd(t *testing.T) {
	c := connect(t)
	for _, step := range []struct {
		name string
		does func(*testing.T, *cluster)
	}{
		{"Provider", startProvider},
		{"InstallWithHelm", installWithHelm},
		{"InstallWithKustomize", installWithKustomize},
		{"FirstAccount", firstAccount},
		{"PodsAreRestricted", podsAreRestricted},
		{"EverySourceAndStore", everySourceAndStore},
		{"ReceiverRolled", receiverRolled},
		{"ClusterAccount", clusterAccount},
		{"StoreRefuses", storeRefuses},
		{"ManagerKilled", managerKilled},
		{"LeaderHandsOver", leaderHandsOver},
		{"NotificationKeyRotated", notificationKeyRotated},
		{"APIKeyRotated", apiKeyRotated},
		{"PeopleHaveTheirRights", peopleHaveTheirRights},
		{"EveryRightIsUsed", everyRightIsUsed},
		{"WhatFails", whatFails},
		{"Uninstall", uninstall},
		{"Upgrade", upgrade},
		{"NoSecretIsTold", noSecretIsTold},
	} {
		passed := t.Run(step.name, func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					c.explain(t)
				}
			})
			step.does(t, c)
		})
		if !passed {
			t.Fatalf("the steps after %s were not begun", step.name)
		}
	}
}
