// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

const (
	// maxOrphanPages bounds the pages of one search for orphans: a hundred thousand jobs.
	maxOrphanPages = 1000
	// maxIdleOrphans bounds the orphans that do not run which one search tells about. Those that run cost money: all that are found are
	// kept in mind, which maxOrphanPages bounds.
	maxIdleOrphans = 1000
	// objectsPerPage is how many objects are read at a time to find out which there are.
	objectsPerPage = 500
)

// orphan is a remote job whose object is gone, or may be.
type orphan struct {
	id        string
	reference notification.Reference
	origin    origin
	running   bool
}

// orphanSearch is one search through the jobs of an account's key for orphans.
type orphanSearch struct {
	account v1alpha1.Account
	// recorded are the account's submitters, and submitters their IDs.
	recorded   []v1alpha1.Submitter
	submitters []string
	// known are the UIDs that the objects in the cache have, and those that their claims name.
	known map[types.UID]struct{}

	// orphans are those whose object is gone for all that the search has seen.
	orphans []orphan
	// idle is how many of them do not run.
	idle int
	// unproven counts those that would be, if they were proven to be the account's.
	unproven int
	// incomplete means that there are more jobs than were looked at, or more orphans than are told about.
	incomplete bool
}

func newOrphanSearch(account v1alpha1.Account, known map[types.UID]struct{}) *orphanSearch {
	search := &orphanSearch{account: account, known: known}
	if recorded := account.AccountStatus().OrphanSearch; recorded != nil {
		search.recorded = recorded.Submitters
	}
	for _, r := range search.recorded {
		search.submitters = append(search.submitters, r.ID)
	}
	return search
}

// consider looks at one job of the list. Of what nothing is left, there is nothing to be told; what was rejected has no transcript,
// costs nothing, and is what an attempt leaves behind that another one followed.
func (o *orphanSearch) consider(job *speechmatics.Job) {
	if isGone(job) || job.Status == speechmatics.JobRejected {
		return
	}
	reference, ok := referenceOf(job)
	if !ok {
		return // somebody else's, who knows nothing of this operator
	}
	if _, ok := o.known[reference.UID]; ok {
		return
	}
	from, ok := originOf(o.submitters, o.account.GetUID(), reference)
	switch {
	case !ok || !from.isRecorded(o.recorded):
		o.unproven++
	case from.kept:
	default:
		o.add(orphan{id: job.ID, reference: reference, origin: from, running: job.Status == speechmatics.JobRunning})
	}
}

// add remembers an orphan. However many there are that do not run, they do not hide one that does.
func (o *orphanSearch) add(found orphan) {
	if !found.running {
		if o.idle == maxIdleOrphans {
			o.incomplete = true
			return
		}
		o.idle++
	}
	o.orphans = append(o.orphans, found)
}

// exclude takes away those whose object there is after all.
func (o *orphanSearch) exclude(live map[types.UID]struct{}) {
	remaining := o.orphans[:0]
	for _, candidate := range o.orphans {
		if _, ok := live[candidate.reference.UID]; !ok {
			remaining = append(remaining, candidate)
		}
	}
	o.orphans = remaining
}

// errEnoughPages ends a search that has read as many pages as it may.
var errEnoughPages = errors.New("there are more jobs than a search for orphans looks at")

// searchOrphans looks for orphans among the jobs of an account's key. An orphan is one that the account is proven to have
// submitted, and whose object there is neither in the cache nor, asked after the provider was, at the API server.
func (r *OrphanReconciler) searchOrphans(ctx context.Context, account v1alpha1.Account, p *provider) (*orphanSearch, error) {
	known, err := knownUIDs(ctx, r.jobs.client)
	if err != nil {
		return nil, err
	}
	search := newOrphanSearch(account, known)
	if err := r.readList(ctx, search, p); err != nil {
		return nil, r.jobs.unavailable(ctx, p, err)
	}
	if len(search.orphans) == 0 {
		return search, nil
	}
	live, err := r.liveUIDs(ctx, account)
	if err != nil {
		return nil, err
	}
	search.exclude(live)
	return search, nil
}

// readList looks at one job of the list after the other, the newest first, as far as there is time.
func (r *OrphanReconciler) readList(ctx context.Context, search *orphanSearch, p *provider) error {
	within, cancel := context.WithTimeout(ctx, r.jobs.options.SearchTimeout)
	defer cancel()
	turns := &orphanTurns{searchTurns: searchTurns{limits: p.limits, metrics: r.jobs.metrics}}
	for job, err := range p.client.ListJobs(within, speechmatics.ListOptions{CreatedAfter: r.orphansSince(search.account, p), BeforeRequest: turns.next}) {
		if errors.Is(err, errEnoughPages) || (within.Err() != nil && ctx.Err() == nil) {
			search.incomplete = true
			break
		}
		if err != nil {
			turns.end(err)
			return err
		}
		search.consider(job)
	}
	turns.end(nil)
	return nil
}

// orphansSince is the time before which there is nothing to look for: the account was not there, or the provider does not keep it.
func (r *OrphanReconciler) orphansSince(account v1alpha1.Account, p *provider) time.Time {
	since := r.jobs.options.Clock.Now().Add(-p.can().Retention)
	if created := account.GetCreationTimestamp().Time; created.After(since) {
		since = created
	}
	return since.Add(-r.jobs.options.ProviderClockSkew)
}

// orphanTurns takes the turns of a search for orphans, slowly enough that nobody else lacks them.
type orphanTurns struct {
	searchTurns
	pages int
}

func (t *orphanTurns) next(ctx context.Context) error {
	if t.pages == maxOrphanPages {
		return errEnoughPages
	}
	if err := t.limits.orphanTurn(ctx); err != nil {
		return err
	}
	t.pages++
	return t.searchTurns.next(ctx, "ListJobs")
}

// knownUIDs are the UIDs of the jobs that the cache has.
func knownUIDs(ctx context.Context, cached client.Reader) (map[types.UID]struct{}, error) {
	jobs := &v1alpha1.TranscriptionJobList{}
	if err := cached.List(ctx, jobs, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("cannot list jobs: %w", err)
	}
	known := make(map[types.UID]struct{}, len(jobs.Items))
	for i := range jobs.Items {
		note(known, &jobs.Items[i])
	}
	return known, nil
}

// liveUIDs are the UIDs of the jobs that the API server has, in all namespaces: a cluster account's jobs may be where the manager watched
// when it submitted them, and any account's claim may have been restored elsewhere. Where the manager may not list all jobs, those of
// the namespaces that it watches have to do, but not for a cluster account, whose jobs may be in others.
func (r *OrphanReconciler) liveUIDs(ctx context.Context, account v1alpha1.Account) (map[types.UID]struct{}, error) {
	live := map[types.UID]struct{}{}
	err := noteLive(ctx, r.jobs.live, metav1.NamespaceAll, live)
	if account.GetNamespace() == "" || !apierrors.IsForbidden(err) {
		return live, err
	}
	for _, namespace := range append([]string{account.GetNamespace()}, r.jobs.options.WatchNamespaces...) {
		if err := noteLive(ctx, r.jobs.live, namespace, live); err != nil {
			return nil, err
		}
	}
	return live, nil
}

// noteLive notes the UIDs of the jobs that the API server has in a namespace, or in all: those of one moment, none of them older than the call.
func noteLive(ctx context.Context, live client.Reader, namespace string, known map[types.UID]struct{}) error {
	page := &metav1.PartialObjectMetadataList{}
	page.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("TranscriptionJobList"))
	for {
		if err := live.List(ctx, page, client.InNamespace(namespace), client.Limit(objectsPerPage), client.Continue(page.Continue)); err != nil {
			return fmt.Errorf("cannot read which jobs there are: %w", err)
		}
		for i := range page.Items {
			note(known, &page.Items[i])
		}
		if page.Continue == "" {
			return nil
		}
	}
}

// uuids are the UIDs in a text.
var uuids = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// note notes an object's UID and, if another one's claim is in it, as after it was restored from a backup, that one's: whether
// what was paid for is still wanted is for a person to say. Of a claim that cannot be read, every UID counts.
func note(known map[types.UID]struct{}, object client.Object) {
	known[object.GetUID()] = struct{}{}
	annotation, ok := object.GetAnnotations()[notification.ClaimAnnotation]
	if !ok {
		return
	}
	claim, err := notification.ParseClaim(annotation)
	if err == nil {
		known[claim.UID] = struct{}{}
		return
	}
	for _, uid := range uuids.FindAllString(annotation, -1) {
		known[types.UID(uid)] = struct{}{}
	}
}
