// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"context"
	"errors"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

func TestRefusePrivateAddresses(t *testing.T) {
	t.Parallel()
	for address, refused := range map[string]bool{
		"20.73.209.153:443":           false,
		"[2606:4700::1]:443":          false,
		"127.0.0.1:443":               true,
		"[::1]:443":                   true,
		"10.0.0.1:443":                true,
		"172.16.0.1:443":              true,
		"192.168.1.1:443":             true,
		"169.254.169.254:80":          true, // the metadata service of clouds
		"100.64.0.1:443":              true, // shared address space
		"0.1.2.3:443":                 true,
		"198.18.0.1:443":              true,
		"240.0.0.1:443":               true,
		"[64:ff9b::a9fe:a9fe]:80":     true, // the metadata service behind a translator
		"0.0.0.0:443":                 true,
		"255.255.255.255:443":         true,
		"224.0.0.1:443":               true,
		"[fe80::1]:443":               true,
		"[fd00::1]:443":               true,
		"[::ffff:127.0.0.1]:443":      true, // IPv4 in disguise
		"[::ffff:169.254.169.254]:80": true,
		"[::169.254.169.254]:80":      true,
		"[2002:a9fe:a9fe::]:80":       true,
		"[fec0::1]:443":               true,
		"168.63.129.16:80":            true, // the platform of a cloud
	} {
		err := refusePrivateAddresses("tcp", address, nil)
		if errors.Is(err, errPrivateAddress) != refused {
			t.Errorf("%s: %v, want refused: %v", address, err, refused)
		}
	}
	if refusePrivateAddresses("tcp", "no address", nil) == nil {
		t.Error("what is no address is let through")
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	if a, b := fingerprint("key-a"), fingerprint("key-b"); a == b || len(a) != 32 || a != fingerprint("key-a") {
		t.Errorf("fingerprints %q and %q", a, b)
	}
}

// slowSecrets has one Secret, whatever is asked for, and lets somebody act while it is being read.
type slowSecrets struct {
	client.Reader
	reading func()
}

func (s slowSecrets) Get(_ context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	s.reading()
	o.(*corev1.Secret).Data = map[string][]byte{"apiKey": []byte(apiKey)}
	return nil
}

// TestProviders_forget deletes an account while a pass makes its provider: its limits hold nobody up afterwards, and it is not brought back.
func TestProviders_forget(t *testing.T) {
	t.Parallel()
	account := func(uid types.UID, runningJobs int32) *v1alpha1.SpeechmaticsAccount {
		return &v1alpha1.SpeechmaticsAccount{
			ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: string(uid), UID: uid, Generation: 1},
			Spec: v1alpha1.SpeechmaticsAccountSpec{
				Region: new(v1alpha1.Region("eu1")), Limits: &v1alpha1.AccountLimits{RunningJobs: &runningJobs},
				APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "key", Key: "apiKey"},
			},
		}
	}
	secrets := &slowSecrets{reading: func() {}}
	ps := newProviders(secrets, Options{Namespace: "manager"}.withDefaults())
	p, err := ps.get(t.Context(), account("stays", 100))
	if err != nil {
		t.Fatal(err)
	}
	secrets.reading = func() { ps.forget("gone") }
	for range 2 {
		var gone *accountError
		if _, err := ps.get(t.Context(), account("gone", 1)); !errors.As(err, &gone) || gone.reason != v1alpha1.ReasonAccountNotFound {
			t.Errorf("the provider of an account that is gone: %v, want that it is not found", err)
		}
		secrets.reading = func() {}
	}
	if p.limits.runningJobs != 100 || len(ps.entries) != 1 {
		t.Errorf("%d jobs may run, and %d accounts are known; want 100 and 1", p.limits.runningJobs, len(ps.entries))
	}
	for i := range 3 * maxForgotten {
		ps.forget(types.UID(fmt.Sprint(i)))
	}
	if len(ps.forgotten) > maxForgotten {
		t.Errorf("%d accounts that are gone are remembered", len(ps.forgotten))
	}
}

// TestProviders_limits has accounts of several namespaces use one host: those with the same key share their limits, those without a key
// share none, and leave none behind.
func TestProviders_limits(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const host = "http://worker.example.com:18000/v2"
	ps := newProviders(env.Client, Options{Namespace: "manager", AllowedBaseURLs: []string{host}}.withDefaults())
	account := func(uid types.UID, namespace string, runningJobs int32, key bool) *v1alpha1.SpeechmaticsAccount {
		a := &v1alpha1.SpeechmaticsAccount{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default", UID: uid, Generation: 1},
			Spec: v1alpha1.SpeechmaticsAccountSpec{
				Backend: worker, BaseURL: new(host), Limits: &v1alpha1.AccountLimits{RunningJobs: &runningJobs},
			},
		}
		if key {
			a.Spec.APIKeySecretRef = &v1alpha1.APIKeySecretReference{Name: "key", Key: "apiKey"}
		}
		return a
	}
	limitsOf := func(a *v1alpha1.SpeechmaticsAccount) *limits {
		t.Helper()
		p, err := ps.get(ctx, a)
		if err != nil {
			t.Fatal(err)
		}
		return p.limits
	}
	var namespaces []string
	for range 2 {
		namespace := env.Namespace(ctx, t, nil)
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "key"}, StringData: map[string]string{"apiKey": apiKey}}
		if err := env.Client.Create(ctx, secret); err != nil {
			t.Fatal(err)
		}
		namespaces = append(namespaces, namespace)
	}

	low, high := account("low", namespaces[0], 1, false), account("high", namespaces[1], 100, false)
	if a, b := limitsOf(low), limitsOf(high); a == b || a.runningJobs != 1 || b.runningJobs != 100 {
		t.Errorf("without a key: %d and %d running jobs, want 1 and 100", a.runningJobs, b.runningJobs)
	}
	a, b := limitsOf(account("keyed low", namespaces[0], 1, true)), limitsOf(account("keyed high", namespaces[1], 100, true))
	if a != b || a.runningJobs != 1 {
		t.Errorf("with one key: %d and %d running jobs, want the lowest for both", a.runningJobs, b.runningJobs)
	}

	keyed := account("high", namespaces[1], 100, true)
	keyed.Generation = 2
	if limitsOf(keyed) != a {
		t.Error("an account that was given the key does not share its limits")
	}
	ps.forget("low")
	if len(ps.limits) != 1 {
		t.Errorf("%d limits are kept, want those of the key alone", len(ps.limits))
	}
}
