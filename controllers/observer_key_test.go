// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	testingclock "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// oneSecret is a cluster with one Secret, of any name, that holds a key; none if it is empty.
type oneSecret struct {
	client.Reader
	key  string
	gets int
}

func (s *oneSecret) Get(_ context.Context, name client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	s.gets++
	if s.key == "" {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name.Name)
	}
	object.(*corev1.Secret).Data = map[string][]byte{"apiKey": []byte(s.key)}
	return nil
}

func keyedAccount(uid types.UID) *v1alpha1.SpeechmaticsAccount {
	return &v1alpha1.SpeechmaticsAccount{
		ObjectMeta: metav1.ObjectMeta{Namespace: "namespace", Name: "default", UID: uid, Generation: 1},
		Spec: v1alpha1.SpeechmaticsAccountSpec{
			Region: ptr.To(v1alpha1.Region("eu1")), APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "key", Key: "apiKey"},
		},
	}
}

// TestProviders_usable follows an account's key: rounds send nothing with one that is refused, replaced or gone.
func TestProviders_usable(t *testing.T) {
	t.Parallel()
	secret := &oneSecret{key: "first"}
	ps := newProviders(secret, Options{Namespace: "manager", Clock: testingclock.NewFakeClock(epoch)}.withDefaults())
	account := keyedAccount("account")
	renewed := func() (*provider, error) {
		p, err := ps.renew(t.Context(), account)
		return p, err
	}
	want := func(when string, p *provider, usable bool) {
		t.Helper()
		if ps.observers.usable(p) != usable {
			t.Errorf("%s: usable: %t", when, !usable)
		}
	}
	refusal := &speechmatics.Error{StatusCode: http.StatusUnauthorized}
	first, err := renewed()
	if err != nil {
		t.Fatal(err)
	}
	want("at first", first, true)
	ps.suspect(first.account, first.namespace)
	want("while it is tried", first, false)
	ps.tried(account.UID, first, errors.New("no answer"))
	want("after it was tried in vain", first, true)
	ps.tried(account.UID, first, refusal)
	want("refused", first, false)
	ps.suspect(first.account, first.namespace)
	ps.stillRefused(account.UID)
	want("still refused", first, false)

	secret.key = "second"
	second, err := renewed()
	if err != nil {
		t.Fatal(err)
	}
	ps.tried(account.UID, second, nil)
	want("replaced", first, false)
	want("the new one", second, true)

	secret.key = ""
	p, err := renewed()
	if err == nil {
		t.Fatal("there is a key without a Secret")
	}
	ps.suspect(second.account, second.namespace)
	ps.tried(account.UID, p, err)
	want("without the Secret", second, false)
	secret.key = "second"
	if p, err = renewed(); p != second || err != nil {
		t.Fatalf("the account got another provider, or %v", err)
	}
	ps.tried(account.UID, p, nil)
	want("with the Secret again", second, true)

	ps.forget(account.UID)
	want("without the account", second, false)
}

// TestProviders_doubtIsBounded has an account's key doubted for as long as the provider does not answer: its Secret is not read for each pass.
func TestProviders_doubtIsBounded(t *testing.T) {
	t.Parallel()
	fake := testingclock.NewFakeClock(epoch)
	secret := &oneSecret{key: "key"}
	ps := newProviders(secret, Options{Namespace: "manager", Clock: fake}.withDefaults())
	account := keyedAccount("account")
	for range 100 {
		p, err := ps.get(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		ps.suspect(p.account, p.namespace)
		ps.tried(account.UID, p, errors.New("no answer"))
	}
	if secret.gets != 1 {
		t.Errorf("the Secret was read %d times at once", secret.gets)
	}
	fake.Step(ps.options.RetryInterval)
	if _, err := ps.get(t.Context(), account); err != nil || secret.gets != 2 {
		t.Errorf("after a while it was read %d times: %v", secret.gets, err)
	}
}

// TestProviders_abandonsOldKey replaces a key, and deletes the account, while a job is looked at: the job is reconciled, and nothing is looked
// at with a key that is not the account's.
func TestProviders_abandonsOldKey(t *testing.T) {
	t.Parallel()
	secret := &oneSecret{key: "first"}
	ps := newProviders(secret, Options{Namespace: "manager", Clock: testingclock.NewFakeClock(epoch)}.withDefaults())
	told := 0
	ps.observers.tell = func(types.UID, types.NamespacedName) { told++ }
	account := keyedAccount("account")
	look := func() {
		t.Helper()
		p, err := ps.renew(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		ps.observers.ask(question{uid: "job", attempt: 1, id: "remote", provider: p})
	}
	want := func(when string, wantTold, watches int) {
		t.Helper()
		if told != wantTold || len(ps.observers.watches) != watches || len(ps.observers.groups) != watches {
			t.Errorf("%s: told %d times, %d watches in %d groups", when, told, len(ps.observers.watches), len(ps.observers.groups))
		}
	}
	look()
	look()
	want("nothing has changed", 0, 1)
	account.Generation, account.Spec.PollInterval = 2, &metav1.Duration{Duration: time.Hour}
	look()
	want("the account has changed, and not its key", 0, 1)
	secret.key = "second"
	if _, err := ps.renew(t.Context(), account); err != nil {
		t.Fatal(err)
	}
	want("the key was replaced", 1, 0)
	look()
	want("looked at with the new key", 1, 1)
	ps.forget("another")
	want("another account is gone", 1, 1)
	ps.forget(account.UID)
	want("the account is gone", 2, 0)
}

// TestObserver_sharedKey has two accounts share a key, and the one that asked last be gone: the other's jobs are looked at all the same.
func TestObserver_sharedKey(t *testing.T) {
	t.Parallel()
	tower := newWatchtower(t, simulator.Options{}, speechmatics.SaaS)
	tower.submit(2, time.Second)
	other := *tower.provider
	other.account.UID = "other"
	tower.observers.usable = func(p *provider) bool { return p.account.UID != "other" }
	tower.run()
	tower.ask(func(q *question) {
		if q.uid == towerUID(1) {
			q.provider = &other
		}
	})
	tower.observers.forgetAccount("other")
	before := tower.simulator.Requests()
	tower.clock.Step(towerPoll)
	tower.settle()
	if took := tower.simulator.Requests().Since(before); took.Total() != 1 {
		t.Errorf("it took %v, want a request about the job that is left", took)
	}
	if tower.told[towerUID(1)] != 1 {
		t.Error("the job of the account that is gone was not reconciled")
	}
}
