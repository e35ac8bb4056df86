// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

const (
	// elsewhere is a namespace that has nothing to do with the operator.
	elsewhere = "kube-system"
	// anything is a name that nothing says anything about.
	anything = "anything"
)

// rights are what a program may do, as "verb resource.group" or "verb resource.group name". What is not there is to be denied.
type rights []string

func (r rights) and(more ...string) rights { return append(slices.Clone(r), more...) }

var (
	// everybody who has an account may ask who he is, and what he may do, and see the cluster's trust bundles.
	everybody = rights{
		"get clustertrustbundles.certificates.k8s.io", "list clustertrustbundles.certificates.k8s.io", "watch clustertrustbundles.certificates.k8s.io",
		"create selfsubjectaccessreviews.authorization.k8s.io", "create selfsubjectrulesreviews.authorization.k8s.io",
		"create selfsubjectreviews.authentication.k8s.io",
	}
	managerWithJobs = everybody.and(
		"get transcriptionjobs.transcription-operator.io", "list transcriptionjobs.transcription-operator.io", "watch transcriptionjobs.transcription-operator.io",
		"patch transcriptionjobs.transcription-operator.io", "delete transcriptionjobs.transcription-operator.io",
		"patch transcriptionjobs/status.transcription-operator.io",
		"get speechmaticsaccounts.transcription-operator.io", "list speechmaticsaccounts.transcription-operator.io", "watch speechmaticsaccounts.transcription-operator.io",
		"patch speechmaticsaccounts/status.transcription-operator.io",
		"get secrets", "get configmaps", "get namespaces",
		"create events.events.k8s.io", "patch events.events.k8s.io",
	)
	managerEverywhere = managerWithJobs.and(
		"get clusterspeechmaticsaccounts.transcription-operator.io", "list clusterspeechmaticsaccounts.transcription-operator.io",
		"watch clusterspeechmaticsaccounts.transcription-operator.io", "patch clusterspeechmaticsaccounts/status.transcription-operator.io",
		"list namespaces", "watch namespaces",
	)
	managerAtHome = []string{
		"create leases.coordination.k8s.io",
		"get leases.coordination.k8s.io transcription-operator-manager", "update leases.coordination.k8s.io transcription-operator-manager",
		"create events",
		"get secrets notification-keys", "patch secrets notification-keys",
	}
	receiverWithJobs = everybody.and(
		"get transcriptionjobs.transcription-operator.io", "patch transcriptionjobs/status.transcription-operator.io",
		"create configmaps", "get configmaps",
	)
)

// installation is one way to install the operator: what the programs may do in their own namespace, and in all others and outside of any.
type installation struct {
	name, kustomization, namespace string
	home, abroad                   map[string]rights
}

func installations(t *testing.T) []installation {
	t.Helper()
	return []installation{
		{
			"default", "config/default", namespace,
			map[string]rights{managerName: managerEverywhere.and(managerAtHome...), receiverName: receiverWithJobs},
			map[string]rights{managerName: managerEverywhere, receiverName: receiverWithJobs},
		},
		{
			// In a namespace of another name, which is all that has to be said.
			"one-namespace", with(t, "config/overlays/one-namespace", "namespace: speech"), "speech",
			map[string]rights{managerName: managerWithJobs.and(managerAtHome...), receiverName: receiverWithJobs},
			map[string]rights{managerName: everybody, receiverName: everybody},
		},
	}
}

// TestRights tries every verb on every resource that the API server knows, for each program: in its own namespace, in another one, and in all
// of them or outside of any. What is not listed above must be denied, and what is listed must be allowed.
func TestRights(t *testing.T) {
	resources := everyResource(t)
	for _, i := range installations(t) {
		t.Run(i.name, func(t *testing.T) {
			i.create(t)
			for _, program := range []string{managerName, receiverName} {
				for where, allowed := range map[string]rights{i.namespace: i.home[program], elsewhere: i.abroad[program]} {
					all := questions(resources, allowed)
					got := permitted(t, i.namespace, program, where, all)
					for _, right := range got {
						if !allowed.cover(right) {
							t.Errorf("%s may %s in %s, which it must not", program, right, where)
						}
					}
					for _, right := range allowed {
						if !slices.Contains(got, right) {
							t.Errorf("%s may not %s in %s, which it needs", program, right, where)
						}
					}
					confirm(t, i.namespace, program, where, allowed, all)
				}
				confirm(t, i.namespace, program, metav1.NamespaceAll, i.abroad[program], questions(resources, i.home[program]))
			}
		})
	}
}

// cover says whether a right is among those listed, itself or as the same one to any name.
func (r rights) cover(right string) bool {
	fields := strings.Fields(right)
	return slices.Contains(r, right) || slices.Contains(r, fields[0]+" "+fields[1])
}

// create really creates the namespace and what gives rights, and waits until the API server has noticed: it follows its own objects by watches.
// Returned are all objects.
func (i installation) create(t *testing.T) []*unstructured.Unstructured {
	t.Helper()
	objects := render(t, i.kustomization)
	createRights(t, objects, i.namespace)
	resources := everyResource(t)
	for program, allowed := range i.home {
		asked := questions(resources, allowed)
		for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
			got := permitted(t, i.namespace, program, i.namespace, asked)
			if !slices.ContainsFunc(allowed, func(right string) bool { return !slices.Contains(got, right) }) {
				break
			}
		}
	}
	return objects
}

func createRights(t *testing.T, objects []*unstructured.Unstructured, namespace string) {
	t.Helper()
	if err := env.Client.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	for _, object := range objects {
		if object.GroupVersionKind().Group != rbacv1.GroupName {
			continue
		}
		if err := env.Client.Create(t.Context(), object); err != nil {
			t.Fatalf("%s: %v", describe(object), err)
		}
		t.Cleanup(func() {
			if err := env.Client.Delete(context.WithoutCancel(t.Context()), object); err != nil {
				t.Error(err)
			}
		})
	}
}

// verbs are those of requests, and those that only authorizers know. The last one is nobody's: a right to it would be one to all.
var verbs = []string{
	"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection",
	"impersonate", "bind", "escalate", "approve", "sign", "attest", "use", "any-other",
}

// resourceType is one that the API server knows, with its subresource.
type resourceType struct{ group, name, subresource string }

func (r resourceType) String() string {
	text := r.name
	if r.subresource != "" {
		text += "/" + r.subresource
	}
	if r.group != "" {
		text += "." + r.group
	}
	return text
}

// everyResource is all that discovery tells of, and what can be granted and is no object: users, groups, signers and one that nobody knows.
func everyResource(t *testing.T) []resourceType {
	t.Helper()
	c, err := discovery.NewDiscoveryClientForConfig(env.Config)
	if err != nil {
		t.Fatal(err)
	}
	_, lists, err := c.ServerGroupsAndResources()
	if err != nil {
		t.Fatal(err)
	}
	all := []resourceType{
		{"", "users", ""},
		{"", "groups", ""},
		{"authentication.k8s.io", "uids", ""},
		{"authentication.k8s.io", "userextras", "scopes"},
		{"certificates.k8s.io", "signers", ""},
		{"example.com", "unknowns", ""},
	}
	for _, list := range lists {
		group, _, _ := strings.Cut(list.GroupVersion, "/")
		if !strings.Contains(list.GroupVersion, "/") {
			group = ""
		}
		for _, r := range list.APIResources {
			name, subresource, _ := strings.Cut(r.Name, "/")
			all = append(all, resourceType{group, name, subresource})
		}
	}
	slices.SortFunc(all, func(a, b resourceType) int { return cmp.Compare(a.String(), b.String()) })
	all = slices.Compact(all)
	if len(all) < 100 {
		t.Fatalf("discovery tells of %d resources only: %v", len(all), all)
	}
	return all
}

// question is a right that is asked about.
type question struct {
	resource resourceType
	verb     string
	name     string
}

// String is how a right is written in the lists above.
func (q question) String() string {
	if q.name == anything {
		return q.verb + " " + q.resource.String()
	}
	return q.verb + " " + q.resource.String() + " " + q.name
}

// questions are every verb on every resource, for a name that nothing is said about, and for the names of the listed rights.
func questions(resources []resourceType, allowed rights) []question {
	var all []question
	for _, r := range resources {
		for _, verb := range verbs {
			all = append(all, question{r, verb, anything})
			for _, right := range allowed {
				if fields := strings.Fields(right); len(fields) == 3 && fields[1] == r.String() {
					all = append(all, question{r, verb, fields[2]})
				}
			}
		}
	}
	return all
}

// permitted are the rights that a ServiceAccount has in a namespace, and so also in all of them if nothing is said of that namespace: by all the
// rules that the API server finds for it.
func permitted(t *testing.T, home, account, where string, all []question) []string {
	t.Helper()
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: where}}
	if err := as(t, home, account).Create(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	if review.Status.Incomplete || review.Status.EvaluationError != "" {
		t.Fatalf("the API server does not know all rights: %s", review.Status.EvaluationError)
	}
	for _, rule := range review.Status.NonResourceRules {
		if !slices.Equal(rule.Verbs, []string{"get"}) || slices.Contains(rule.NonResourceURLs, "*") || slices.Contains(rule.NonResourceURLs, "/metrics") {
			t.Errorf("%s may %v %v", account, rule.Verbs, rule.NonResourceURLs)
		}
	}
	var got []string
	for _, q := range all {
		if slices.ContainsFunc(review.Status.ResourceRules, q.isAllowedBy) {
			got = append(got, q.String())
		}
	}
	return got
}

// isAllowedBy says whether a rule gives the right.
func (q question) isAllowedBy(rule authorizationv1.ResourceRule) bool {
	has := func(list []string, value string) bool {
		return slices.Contains(list, "*") || slices.Contains(list, value)
	}
	name := q.resource.name
	if q.resource.subresource != "" {
		name += "/" + q.resource.subresource
	}
	return has(rule.Verbs, q.verb) && has(rule.APIGroups, q.resource.group) &&
		(has(rule.Resources, name) || (q.resource.subresource != "" && slices.Contains(rule.Resources, "*/"+q.resource.subresource))) &&
		(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, q.name))
}

// confirm asks the API server's authorizer itself about every verb on the resources that something is allowed on.
func confirm(t *testing.T, home, account, where string, allowed rights, all []question) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(16)
	for _, q := range all {
		if !allowed.touch(q.resource) {
			continue
		}
		group.Go(func() error {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
				User: "system:serviceaccount:" + home + ":" + account, Groups: groupsOf(home),
				ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: where, Verb: q.verb, Group: q.resource.group, Resource: q.resource.name, Subresource: q.resource.subresource, Name: q.name,
				},
			}}
			err := env.Client.Create(t.Context(), review)
			if err == nil && review.Status.Allowed != allowed.cover(q.String()) {
				t.Errorf("may %s %s in %q? The API server says %t", account, q, where, review.Status.Allowed)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// touch says whether a right is about a resource, or about one that it is a part of or has as a part.
func (r rights) touch(resource resourceType) bool {
	object := resource
	object.subresource = ""
	return slices.ContainsFunc(r, func(right string) bool {
		of := strings.Fields(right)[1]
		return of == resource.String() || of == object.String()
	})
}

// as is a client with the rights of a ServiceAccount.
func as(t *testing.T, namespace, account string) client.Client {
	t.Helper()
	config := rest.CopyConfig(env.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "system:serviceaccount:" + namespace + ":" + account, Groups: groupsOf(namespace)}
	c, err := client.New(config, client.Options{Scheme: env.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// groupsOf are the groups of a namespace's ServiceAccounts.
func groupsOf(namespace string) []string {
	return []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"}
}

// TestOneNamespace sends requests as the manager that is installed for one namespace: reviews are about words, and what the API server makes of a
// request is another question. Of namespaces it can read its own, by a Role.
func TestOneNamespace(t *testing.T) {
	one := installations(t)[1]
	objects := one.create(t)
	for _, object := range objects {
		if kind := object.GetKind(); kind == "ClusterRole" || kind == "ClusterRoleBinding" {
			t.Errorf("there is a %s", describe(object))
		}
	}
	manager := as(t, one.namespace, managerName)
	get := func(namespace, name string, object client.Object) func() error {
		return func() error {
			return client.IgnoreNotFound(manager.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object))
		}
	}
	list := func(list client.ObjectList, options ...client.ListOption) func() error {
		return func() error { return manager.List(t.Context(), list, options...) }
	}
	for _, tt := range []struct {
		what    string
		try     func() error
		allowed bool
	}{
		{"get its own namespace", get("", one.namespace, &corev1.Namespace{}), true},
		{"get another namespace", get("", elsewhere, &corev1.Namespace{}), false},
		{"list namespaces", list(&corev1.NamespaceList{}), false},
		{"list its namespace's jobs", list(&v1alpha1.TranscriptionJobList{}, client.InNamespace(one.namespace)), true},
		{"list all jobs", list(&v1alpha1.TranscriptionJobList{}), false},
		{"list cluster accounts", list(&v1alpha1.ClusterSpeechmaticsAccountList{}), false},
		{"get a Secret", get(one.namespace, "any", &corev1.Secret{}), true},
		{"get a Secret elsewhere", get(elsewhere, "any", &corev1.Secret{}), false},
		{"list Secrets", list(&corev1.SecretList{}, client.InNamespace(one.namespace)), false},
	} {
		if err := tt.try(); apierrors.IsForbidden(err) == tt.allowed || (tt.allowed && err != nil) {
			t.Errorf("%s: %v; allowed should be %t", tt.what, err, tt.allowed)
		}
	}
}

// TestEveryVerbSaysWhy reads the roles of the programs as people do, comments included.
func TestEveryVerbSaysWhy(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testenv.Root(), "config", "rbac", "*role.yaml"))
	if err != nil || len(files) != 5 {
		t.Fatalf("%d roles of programs, want 5: %v, %v", len(files), files, err)
	}
	for _, file := range files {
		manifest, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		role := struct {
			Rules []struct {
				Resources []string
				Verbs     yaml.Node
			}
		}{}
		if err := yaml.Unmarshal(manifest, &role); err != nil {
			t.Fatal(err)
		}
		for _, rule := range role.Rules {
			for _, verb := range rule.Verbs.Content {
				if strings.Trim(verb.LineComment, "# ") == "" {
					t.Errorf("%s: %s on %v does not say why", filepath.Base(file), verb.Value, rule.Resources)
				}
			}
		}
	}
}

// TestPodsHaveTheirAccounts: a right is worth as much as the account that the pods really have.
func TestPodsHaveTheirAccounts(t *testing.T) {
	objects := render(t, "config/default")
	for _, deployment := range all[appsv1.Deployment](t, objects, "Deployment") {
		if account := deployment.Spec.Template.Spec.ServiceAccountName; account != deployment.Name {
			t.Errorf("the pods of %s have the account %q", deployment.Name, account)
		}
		one[corev1.ServiceAccount](t, objects, "ServiceAccount", deployment.Name)
	}
}
