// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// marker is a right as rbac.go asks for it.
var marker = regexp.MustCompile(`(?m)^// \+kubebuilder:rbac:groups=([^,]*),resources=([^,]*),verbs=(\S+)$`)

// rights are the rules that the markers in rbac.go ask for.
func rights(t *testing.T) []rbacv1.PolicyRule {
	t.Helper()
	source, err := os.ReadFile("rbac.go")
	if err != nil {
		t.Fatal(err)
	}
	var rules []rbacv1.PolicyRule
	for _, m := range marker.FindAllStringSubmatch(string(source), -1) {
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{strings.Trim(m[1], `"`)}, Resources: []string{m[2]}, Verbs: strings.Split(m[3], ";"),
		})
	}
	return rules
}

// The rights that the receiver asks for are enough for all that it does.
func TestRightsAreEnough(t *testing.T) {
	rules := rights(t)
	if len(rules) != 3 {
		t.Fatalf("rbac.go has %d rights, want 3: %v", len(rules), rules)
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
