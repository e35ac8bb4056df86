// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"strings"
	"testing"
)

// upgrade goes from the manifests of before to those of now while jobs are submitted, run and are notified of. The programs are the present ones
// throughout: what is shown is that the objects can be replaced under way, and that the programs do with the roles, flags and CRDs of before.
func upgrade(t *testing.T, c *cluster) {
	p := c.withProvider(t)
	c.apply(t, c.build(t, "previous"))
	// As was done then, by hand: nobody made one.
	c.createSecret(t, operatorNamespace, keysSecret, map[string]string{"signing-key": c.newSecret("key of before")})
	c.ready(t)
	c.createAccount(t)
	prepare, apply := lastLine(documented(t, "docs/upgrade.md", "Upgrade")[0])
	c.follow(t, c.overlay()+prepare)
	created := c.createWhile(t, func(ctx context.Context) error {
		if _, err := c.command(ctx, "", "bash", "-c", apply); err != nil {
			return err
		}
		for _, deployment := range []string{receiverDeployment, managerDeployment} {
			if _, err := c.command(ctx, "", *kubectlFlag, "-n", operatorNamespace, "rollout", "status", "deployment/"+deployment, "--timeout="+patience.String()); err != nil {
				return err
			}
		}
		return nil
	})
	c.ready(t)
	jobs := c.complete(t, p, created)
	tries := c.allNotified(t, jobs)
	t.Logf("%d jobs were under way during the upgrade; notifications took %d tries", len(jobs), tries)
}

// lastLine splits commands before the last one.
func lastLine(commands string) (before, last string) {
	at := strings.LastIndex(strings.TrimSuffix(commands, "\n"), "\n") + 1
	return commands[:at], commands[at:]
}
