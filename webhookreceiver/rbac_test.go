// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// rights are the rules of the receiver's role.
func rights(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	manifest, err := os.ReadFile(filepath.Join(testenv.Root(), "config", "rbac", "webhook_receiver_role.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{}
	if err := yaml.UnmarshalStrict(manifest, role); err != nil {
		t.Fatal(err)
	}
	return role.Rules
}

// The rights that the receiver has are enough for all that it does.
func TestRightsAreEnough(t *testing.T) {
	rules := rights(t)
	if len(rules) != 3 {
		t.Fatalf("the role has %d rules, want 3: %v", len(rules), rules)
	}
	name := "webhook-receiver-" + string(uuid.NewUUID())
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "receiver"}},
	}
	for _, object := range []client.Object{role, binding} {
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	config, err := env.User("receiver")
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(config, client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, func(o *Options) {
		stores := o.Store.(store.Stores)
		stores.ConfigMaps = store.NewConfigMaps(c, newScratch(t), 1<<20)
		o.Client, o.Store = c, stores
	})
	if status, _ := fetch(t, r.health+"/readyz"); status != http.StatusOK {
		t.Errorf("it is not ready: %d\n%s", status, r.log)
	}
	job := newJob(t)
	for range 2 {
		if got := r.send(t, job, multi(t, everything(t, job)...)); got.status != http.StatusNoContent {
			t.Errorf("answer %+v\n%s", got, r.log)
		}
	}
	if got := stored(read(t, job)); len(got) != 3 {
		t.Errorf("stored %v", got)
	}
	if got := r.send(t, job, request{method: http.MethodGet, path: targetOf(job, 1).StorePath(), query: "?", internal: true}); got.status != http.StatusNoContent {
		t.Errorf("store check: %+v", got)
	}
}
