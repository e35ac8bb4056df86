// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// activeJob is a job that was, or may have been, at the provider when this manager became the leader.
type activeJob struct {
	occupiedPlace

	// limits are those of the keys that it was submitted or seen with: see limitsID.
	limits []string
}

// countsFor reports whether the job counts against the limits that a provider is subject to. The account's own jobs do so whatever key they
// were submitted with: that one may have been replaced by another of the same project.
func (j activeJob) countsFor(p *provider) bool {
	return j.account == p.account.UID || slices.Contains(j.limits, p.limitsID())
}

// stockPage is how many jobs are read at a time.
const stockPage = 500

// activeJobs reads which jobs of some namespaces, or of all, are or may be at the provider. The reader must not be a cache: what another
// manager did an instant before it lost the leadership may not be in there yet.
func activeJobs(ctx context.Context, live client.Reader, namespaces []string) (map[types.UID]activeJob, error) {
	if len(namespaces) == 0 {
		namespaces = []string{corev1.NamespaceAll}
	}
	active := map[types.UID]activeJob{}
	for _, namespace := range namespaces {
		jobs := &v1alpha1.TranscriptionJobList{}
		for more := true; more; more = jobs.Continue != "" {
			options := &client.ListOptions{Namespace: namespace, Limit: stockPage, Continue: jobs.Continue}
			jobs = &v1alpha1.TranscriptionJobList{}
			if err := live.List(ctx, jobs, options); err != nil {
				return nil, fmt.Errorf("cannot list the jobs that are at the provider: %w", err)
			}
			for i := range jobs.Items {
				if job := &jobs.Items[i]; !isFinished(job) && atProvider(job) {
					active[job.UID] = activeJobOf(job)
				}
			}
		}
	}
	return active, nil
}

// atProvider reports whether an unfinished job is, or may be, at the provider. A claim that is not its own says nothing about it.
func atProvider(job *v1alpha1.TranscriptionJob) bool {
	s := newScope(job, Options{})
	if s.held() {
		return s.knownAtProvider()
	}
	return s.mayBeAtProvider()
}

// activeJobOf tells by which key a job counts: that of its claim, which is written first, and that which is known to see it.
func activeJobOf(job *v1alpha1.TranscriptionJob) activeJob {
	active := activeJob{occupiedPlace: occupiedPlace{key: client.ObjectKeyFromObject(job)}}
	if ref := job.Status.AccountRef; ref != nil {
		active.account = ref.UID
		active.limits = append(active.limits, limitsID(valueOf(ref.BaseURL), valueOf(ref.KeyFingerprint), ref.UID))
	}
	if claim := newScope(job, Options{}).claim; claim != nil && claim.UID == job.UID {
		active.account = claim.AccountUID
		active.limits = append(active.limits, limitsID(claim.BaseURL, claim.KeyFingerprint, claim.AccountUID))
	}
	return active
}

// takeStock finds out, once, which jobs count against the limits that nobody here has let in. Before that, no account can be used.
func (ps *providers) takeStock(ctx context.Context) error {
	ps.stockMu.Lock()
	defer ps.stockMu.Unlock()
	if ps.stockTaken {
		return nil
	}
	stock, err := ps.active(ctx)
	if err != nil {
		return err
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.stock, ps.stockTaken = stock, true
	return nil
}
