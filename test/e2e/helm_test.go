// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

const release = "transcription-operator"

// installWithHelm installs the chart by the README's command, which tests itself, and upgrades it while jobs are under way. When the release is taken
// away, jobs and transcripts stay: whoever installs the operator next finds them, and goes on with those that are under way.
func installWithHelm(t *testing.T, c *cluster) {
	c.apply(t, only(c.build(t, *systemFlag), "Namespace", "PersistentVolumeClaim"))
	c.follow(t, blockWith(t, documented(t, readme, readmeInstall), "helm install")+" --values=test/e2e/helm-values.yaml --timeout="+patience.String())
	c.ready(t)
	c.createAccount(t)
	c.helm(t, "test", release, "--timeout="+patience.String())

	p := c.withProvider(t)
	created := c.createWhile(t, func(ctx context.Context) error {
		_, err := c.command(ctx, "", *helmFlag, "--namespace="+operatorNamespace, "upgrade", release, "charts/transcription-operator", "--reuse-values",
			"--set=manager.podAnnotations.upgraded=yes,receiver.podAnnotations.upgraded=yes", "--wait", "--timeout="+patience.String())
		return err
	})
	jobs := c.complete(t, p, created)
	tries := c.allNotified(t, jobs)
	t.Logf("the release was upgraded while %d jobs were notified of, in %d tries", len(jobs), tries)

	c.underWay = c.createAFew(t, len(kinds))
	eventually(t, "jobs are under way", func(ctx context.Context) error {
		ledger, err := p.Ledger(ctx)
		if n := len(ledger) - len(jobs); err == nil && n < len(c.underWay) {
			err = fmt.Errorf("the provider has %d of %d jobs", n, len(c.underWay))
		}
		return err
	})
	c.helm(t, "uninstall", release, "--wait", "--timeout="+patience.String())
	for _, job := range jobs {
		kept := &v1alpha1.TranscriptionJob{}
		must(t, c.client.Get(t.Context(), client.ObjectKeyFromObject(job), kept))
		if kept.DeletionTimestamp != nil || !meta.IsStatusConditionTrue(kept.Status.Conditions, v1alpha1.ConditionComplete) {
			t.Errorf("%s was not left alone when the release went: %+v", kept.Name, kept.ObjectMeta)
		}
	}
	c.checkTranscripts(t, jobs)
}

func (c *cluster) helm(t *testing.T, args ...string) {
	t.Helper()
	_, err := c.command(t.Context(), "", *helmFlag, append([]string{"--namespace=" + operatorNamespace}, args...)...)
	must(t, err)
}

// only are the objects of some kinds among manifests.
func only(manifests string, kinds ...string) string {
	wanted := regexp.MustCompile(`(?m)^kind: (` + strings.Join(kinds, "|") + `)$`)
	var found []string
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		if wanted.MatchString(document) {
			found = append(found, document)
		}
	}
	return strings.Join(found, "\n---\n")
}
