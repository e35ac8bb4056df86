// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

const (
	lease = "transcription-operator-manager"
	// fastHandOver is within what a new leader has to work after the old one was told to end, on a busy machine: it looks at the lease, which the
	// old one gives back, every two to four seconds. Unless it is given back, it takes the lease's 15 s.
	fastHandOver = 12 * time.Second
)

// receiverRolled: all receivers are replaced while notifications come in, and none is lost.
func receiverRolled(t *testing.T, c *cluster) {
	p := c.withProvider(t)
	start := time.Now()
	created := c.createWhile(t, func(ctx context.Context) error {
		for range *rollingsFlag {
			for _, args := range [][]string{{"restart"}, {"status", "--timeout=" + patience.String()}} {
				args = append([]string{"-n", operatorNamespace, "rollout", args[0], "deployment/" + receiverDeployment}, args[1:]...)
				if _, err := c.command(ctx, "", *kubectlFlag, args...); err != nil {
					return err
				}
			}
		}
		return nil
	})
	rolled := time.Since(start).Round(time.Second / 10)
	jobs := c.complete(t, p, created)
	tries := c.allNotified(t, jobs)
	t.Logf("the receivers were replaced within %s; %d jobs, %d notifications", rolled, len(jobs), tries)
}

// managerKilled: the manager's process gets SIGKILL while jobs are submitted. The next one begins when the lease has run out, and nothing is paid
// for twice.
func managerKilled(t *testing.T, c *cluster) {
	p := c.withProvider(t)
	// Answers are so late that whoever kills comes first, however slow the machine: the manager waits for as many as it has hands, which it does not
	// know to be accepted, and has not submitted the rest.
	must(t, p.SetFaults(t.Context(), simulator.Fault{Kind: simulator.FaultResponseLate, Operation: simulator.OperationCreate, Delay: simulator.Duration(time.Minute)}))
	before := len(p.ledger(t))
	created := c.createAFew(t, 24)
	eventually(t, "submissions are under way", func(ctx context.Context) error {
		ledger, err := p.Ledger(ctx)
		if n := len(ledger) - before; err == nil && n < 5 {
			err = fmt.Errorf("the provider has %d of %d jobs", n, len(created))
		}
		return err
	})
	pods, err := c.podsOf(t.Context(), "manager")
	must(t, err)
	if len(pods) != 1 {
		t.Fatalf("there are %d managers, wanted one", len(pods))
	}
	killed := time.Now()
	c.kill(t, &pods[0])
	accepted := len(p.ledger(t)) - before
	if accepted == len(created) {
		t.Errorf("all %d jobs were submitted before the manager was killed", accepted)
	}
	must(t, p.SetFaults(t.Context()))
	c.complete(t, p, append(created, c.underWay...)) // those that were under way while there was no operator, or no place for transcripts, too
	t.Logf("the provider had accepted %d of %d jobs when the manager was killed; all were complete %s later, each paid for once",
		accepted, len(created), time.Since(killed).Round(time.Second/10))
}

// leaderHandsOver: a manager that is told to end gives its lease back, so that the next one need not wait for it to run out.
func leaderHandsOver(t *testing.T, c *cluster) {
	c.kubectl(t, "-n", operatorNamespace, "scale", "deployment/"+managerDeployment, "--replicas=2")
	c.rolledOut(t, operatorNamespace, managerDeployment)
	leader := ""
	eventually(t, "there is a leader", func(ctx context.Context) error {
		var err error
		leader, err = c.leader(ctx)
		return err
	})
	told := time.Now()
	c.kubectl(t, "-n", operatorNamespace, "delete", "pod", strings.Split(leader, "_")[0], "--wait=false")
	next := ""
	eventually(t, "there is another leader", func(ctx context.Context) error {
		var err error
		next, err = c.leader(ctx)
		if err == nil && next == leader {
			err = errors.New("it is still the old one")
		}
		return err
	})
	took := time.Since(told).Round(time.Second / 10)
	if took > fastHandOver {
		t.Errorf("the next manager has led %s after the last one was told to end, wanted at most %s", took, fastHandOver)
	}
	t.Logf("the next manager has led %s after the last one was told to end", took)
	c.kubectl(t, "-n", operatorNamespace, "scale", "deployment/"+managerDeployment, "--replicas=1")
	c.rolledOut(t, operatorNamespace, managerDeployment)
}

// leader is who holds the managers' lease: the name of its pod, and more.
func (c *cluster) leader(ctx context.Context) (string, error) {
	object := &coordinationv1.Lease{}
	if err := c.client.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: lease}, object); err != nil {
		return "", err
	}
	holder := ptr.Deref(object.Spec.HolderIdentity, "")
	if holder == "" {
		return "", errors.New("nobody holds the lease")
	}
	return holder, nil
}
