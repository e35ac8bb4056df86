// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// providerForSubmission finds the job's account, checks that the job may be submitted under it, and returns what reaches
// the provider.
func (r *JobReconciler) providerForSubmission(ctx context.Context, s *scope) (*provider, error) {
	account, err := r.resolveAccount(ctx, s)
	if err != nil {
		return nil, err
	}
	if err := r.permitted(ctx, s, account); err != nil {
		return nil, err
	}
	if valueOf(account.AccountSpec().Suspend) {
		return nil, pausef(v1alpha1.ReasonAccountSuspended, r.options.SecretInterval,
			"%s %s is suspended; the job is submitted once its spec.suspend is unset", account.AccountKind(), account.GetName())
	}
	return r.readyProvider(ctx, account)
}

// providerOf returns what reaches the provider for a job that was submitted already: neither suspension nor a namespace
// selector that was changed meanwhile may cut it off from its transcripts.
func (r *JobReconciler) providerOf(ctx context.Context, s *scope) (*provider, error) {
	account, err := r.accountOf(ctx, s)
	if err != nil {
		return nil, err
	}
	p, err := r.readyProvider(ctx, account)
	if err != nil {
		return nil, err
	}
	return p, s.takeHand(p)
}

// accountOf is the account of a job that was submitted already. The account is in the status before anything is sent; without it, only the
// claim says that something was, which whoever may edit the job can write: that opens no account to his namespace.
func (r *JobReconciler) accountOf(ctx context.Context, s *scope) (v1alpha1.Account, error) {
	account, err := r.resolveAccount(ctx, s)
	if err == nil && s.job.Status.AccountRef == nil {
		err = r.permitted(ctx, s, account)
	}
	return account, err
}

// readyProvider refuses accounts whose key is not known to be accepted.
func (r *JobReconciler) readyProvider(ctx context.Context, account v1alpha1.Account) (*provider, error) {
	ready := meta.FindStatusCondition(account.AccountStatus().Conditions, v1alpha1.ConditionReady)
	name := fmt.Sprintf("%s %s", account.AccountKind(), account.GetName())
	switch {
	case ready == nil || ready.ObservedGeneration != account.GetGeneration():
		return nil, pausef(v1alpha1.ReasonWaiting, r.options.SecretInterval, "waiting until the key of %s has been tried", name)
	case ready.Status != metav1.ConditionTrue:
		return nil, pausef(v1alpha1.ReasonAccountNotReady, r.options.SecretInterval, "%s is not ready: %s", name, ready.Message)
	}
	p, err := r.providers.get(ctx, account)
	if err != nil {
		// The account's own controller says what is wrong with it; it is asked to look at once.
		r.providers.suspect(v1alpha1.ResolvedReference(account), account.GetNamespace())
		return nil, pausef(v1alpha1.ReasonAccountNotReady, r.options.RetryInterval, "%s is not ready: %s", name, explain(err))
	}
	if r.providers.isTrying(account.GetUID()) {
		// One request has found the key refused, and one more finds out whether it is. All others would be in vain.
		return nil, &busyError{delay: minPause}
	}
	return p, nil
}

// resolveAccount finds the account that the job was given to or, before that, the one it names or the default.
func (r *JobReconciler) resolveAccount(ctx context.Context, s *scope) (v1alpha1.Account, error) {
	pinned := s.job.Status.AccountRef
	if pinned == nil || s.nothingSubmitted() {
		return r.findAccount(ctx, s)
	}
	account, err := r.getAccount(ctx, s.job.Namespace, pinned.Kind, pinned.Name)
	if err != nil {
		return nil, err
	}
	if account.GetUID() != pinned.UID {
		return nil, pausef(v1alpha1.ReasonAccountReplaced, r.options.SecretInterval,
			"the job was given to %s with UID %s, which is gone; the account of that name now is another one and may belong to another customer, so that the job is not looked for there: a notification may still bring the transcript; else delete the job and create it anew",
			accountName(pinned), pinned.UID)
	}
	return account, nil
}

// nothingSubmitted reports whether it is certain that nothing was ever accepted for the job, so that the account can still be
// chosen freely.
func (s *scope) nothingSubmitted() bool {
	neverClaimed := s.claim == nil && s.claimErr == nil && s.job.Status.StartTime == nil
	claimedInVain := s.claim != nil && s.claim.UID == s.job.UID && s.claim.NotCreated
	return s.remoteID() == "" && s.job.Status.Notification == nil && (neverClaimed || claimedInVain)
}

// findAccount finds the account that the spec names, or the default.
func (r *JobReconciler) findAccount(ctx context.Context, s *scope) (v1alpha1.Account, error) {
	if ref := s.job.Spec.AccountRef; ref != nil {
		return r.getAccount(ctx, s.job.Namespace, ref.Kind, ref.Name)
	}
	kinds := []v1alpha1.AccountKind{v1alpha1.NamespacedAccount, v1alpha1.ClusterAccount}
	if r.options.NoClusterAccounts {
		kinds = kinds[:1]
	}
	for _, kind := range kinds {
		account, err := r.lookUpAccount(ctx, s.job.Namespace, kind, v1alpha1.DefaultAccountName)
		if err == nil {
			return account, nil
		}
		if !apierrors.IsNotFound(err) {
			return nil, err
		}
	}
	if r.options.NoClusterAccounts {
		return nil, pausef(v1alpha1.ReasonAccountNotFound, r.options.SecretInterval,
			"the job names no account, and there is no SpeechmaticsAccount %q in namespace %s; create it, or name another in spec.accountRef of a new job",
			v1alpha1.DefaultAccountName, s.job.Namespace)
	}
	return nil, pausef(v1alpha1.ReasonAccountNotFound, r.options.SecretInterval,
		"the job names no account, and there is neither a SpeechmaticsAccount %q in namespace %s nor a ClusterSpeechmaticsAccount %q; create one, or name another in spec.accountRef of a new job",
		v1alpha1.DefaultAccountName, s.job.Namespace, v1alpha1.DefaultAccountName)
}

// getAccount finds an account by name and says so if there is none.
func (r *JobReconciler) getAccount(ctx context.Context, namespace string, kind v1alpha1.AccountKind, name string) (v1alpha1.Account, error) {
	if kind == v1alpha1.ClusterAccount && r.options.NoClusterAccounts {
		return nil, pausef(v1alpha1.ReasonAccountNotPermitted, r.options.SecretInterval,
			"%s %q cannot be used: this installation works with the accounts of its own namespaces alone (the manager's --cluster-accounts=false); name a SpeechmaticsAccount of namespace %s in spec.accountRef of a new job",
			kind, name, namespace)
	}
	account, err := r.lookUpAccount(ctx, namespace, kind, name)
	if apierrors.IsNotFound(err) {
		where := " in namespace " + namespace
		if kind == v1alpha1.ClusterAccount {
			where = ""
		}
		return nil, pausef(v1alpha1.ReasonAccountNotFound, r.options.SecretInterval, "there is no %s %q%s; create it, or name another in spec.accountRef of a new job", kind, name, where)
	}
	return account, err
}

func (r *JobReconciler) lookUpAccount(ctx context.Context, namespace string, kind v1alpha1.AccountKind, name string) (v1alpha1.Account, error) {
	if kind == v1alpha1.ClusterAccount {
		account := &v1alpha1.ClusterSpeechmaticsAccount{}
		return account, r.client.Get(ctx, types.NamespacedName{Name: name}, account)
	}
	account := &v1alpha1.SpeechmaticsAccount{}
	return account, r.client.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, account)
}

// permitted checks that a cluster account is open to the job's namespace.
func (r *JobReconciler) permitted(ctx context.Context, s *scope, account v1alpha1.Account) error {
	cluster, ok := account.(*v1alpha1.ClusterSpeechmaticsAccount)
	if !ok {
		return nil
	}
	selected, err := selectsNamespace(ctx, r.client, cluster.Spec.NamespaceSelector, s.job.Namespace)
	if err != nil {
		return err
	}
	if !selected {
		return pausef(v1alpha1.ReasonAccountNotPermitted, r.options.SecretInterval,
			"ClusterSpeechmaticsAccount %s is not open to namespace %s: its spec.namespaceSelector does not select it; ask the administrator, or name another account in spec.accountRef of a new job",
			cluster.Name, s.job.Namespace)
	}
	return nil
}

// selectsNamespace reports whether a selector selects a namespace. No selector and an empty one select none.
func selectsNamespace(ctx context.Context, c client.Reader, selector *metav1.LabelSelector, name string) (bool, error) {
	if selector == nil || len(selector.MatchLabels)+len(selector.MatchExpressions) == 0 {
		return false, nil
	}
	s, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return false, nil //nolint:nilerr // The account's own controller reports a selector that cannot be read; it selects none.
	}
	namespace := &corev1.Namespace{}
	if err := c.Get(ctx, types.NamespacedName{Name: name}, namespace); err != nil {
		return false, fmt.Errorf("cannot read namespace %s: %w", name, err)
	}
	return s.Matches(labels.Set(namespace.Labels)), nil
}
