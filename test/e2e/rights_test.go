// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

var auditFlag = flag.String("e2e.audit", "", "the API server's audit log, with all requests of the operator's ServiceAccounts; without one, it is not checked whether they use their rights")

// byTheWatch is why a cache is not filled by a list.
const byTheWatch = "the API server begins the watch with what there is; older ones are asked for a list"

// unprovoked are rights that nothing in this test calls for, and why the programs have them nevertheless.
var unprovoked = map[string]string{
	managerDeployment + " get namespaces":                                             "it watches them instead, unless it is installed for one namespace",
	managerDeployment + " list namespaces":                                            byTheWatch,
	managerDeployment + " list speechmaticsaccounts.transcription-operator.io":        byTheWatch,
	managerDeployment + " list clusterspeechmaticsaccounts.transcription-operator.io": byTheWatch,
	managerDeployment + " patch events.events.k8s.io":                                 "the same is told twice of an object that did not change meanwhile, as when several surplus jobs are found at once",
}

// everyRightIsUsed compares what the roles give the programs' ServiceAccounts with what these have asked the API server for: whatever is given is used,
// and nothing that they ask for is refused.
func everyRightIsUsed(t *testing.T, c *cluster) {
	c.useWhatIsSeldomUsed(t)
	if *auditFlag == "" {
		t.Log("there is no audit log of this cluster: it was not checked which rights are used")
		return
	}
	asked := readAudit(t, *auditFlag)
	granted := grantedRights(t, c.build(t, *systemFlag))
	for _, r := range slices.SortedFunc(maps.Keys(granted), right.compare) {
		reason, excused := unprovoked[r.String()]
		switch used := asked[r].allowed > 0; {
		case !used && !excused:
			t.Errorf("%s: nobody needs that", r)
		case used:
			t.Logf("%s: %d times", r, asked[r].allowed)
		default:
			t.Logf("%s: not in this test: %s", r, reason)
		}
	}
	for r, n := range asked {
		// Right after the installation, the API server may not know the roles yet.
		if n.refused > 0 && n.allowed == 0 {
			t.Errorf("%s was refused, %d times", r, n.refused)
		}
	}
	for name := range unprovoked {
		if !slices.ContainsFunc(slices.Collect(maps.Keys(granted)), func(r right) bool { return r.String() == name }) {
			t.Errorf("%s is excused, and not given", name)
		}
	}
}

// useWhatIsSeldomUsed has the manager do what no other step does for certain: use a cluster account, delete a job whose time is over, write into the
// accounts who has submitted with them, and find a job changed in the midst of its submission.
func (c *cluster) useWhatIsSeldomUsed(t *testing.T) {
	t.Helper()
	c.createSecret(t, operatorNamespace, "shared-account", map[string]string{"apiKey": c.secrets["API key"]})
	shared := &v1alpha1.ClusterSpeechmaticsAccount{
		ObjectMeta: metav1.ObjectMeta{Name: "shared"},
		Spec: v1alpha1.ClusterSpeechmaticsAccountSpec{
			SpeechmaticsAccountSpec: v1alpha1.SpeechmaticsAccountSpec{
				BaseURL: ptr.To(providerURL + "/v2"), APIKeySecretRef: &v1alpha1.APIKeySecretReference{Name: "shared-account"},
			},
			NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: userNamespace}},
		},
	}
	must(t, c.client.Create(t.Context(), shared))
	passing := []*v1alpha1.TranscriptionJob{
		c.create(t, fromURL, toKeptConfigMap, briefly),
		c.create(t, fromURL, toKeptConfigMap, briefly, func(spec *v1alpha1.TranscriptionJobSpec) {
			spec.AccountRef = &v1alpha1.AccountReference{Kind: v1alpha1.ClusterAccount, Name: shared.Name}
		}),
	}
	for _, job := range passing {
		eventually(t, job.Name+" is complete, and deleted when its time is over", func(ctx context.Context) error {
			err := c.client.Get(ctx, client.ObjectKeyFromObject(job), job)
			if err == nil {
				err = fmt.Errorf("it is there: %+v", job.Status.Conditions)
			}
			return client.IgnoreNotFound(err)
		})
	}
	// A change has the manager look at once.
	const look = `{"spec":{"pollInterval":"31s"}}`
	c.kubectl(t, "patch", "clusterspeechmaticsaccount", shared.Name, "--type=merge", "--patch="+look)
	c.kubectl(t, "-n", userNamespace, "patch", "speechmaticsaccount", "default", "--type=merge", "--patch="+look)
	for _, account := range []v1alpha1.Account{shared, &v1alpha1.SpeechmaticsAccount{ObjectMeta: metav1.ObjectMeta{Namespace: userNamespace, Name: "default"}}} {
		eventually(t, account.GetName()+" says who has submitted with it", func(ctx context.Context) error {
			if err := c.client.Get(ctx, client.ObjectKeyFromObject(account), account); err != nil {
				return err
			}
			if search := account.AccountStatus().OrphanSearch; search == nil || len(search.Submitters) == 0 {
				return errors.New("it does not")
			}
			return nil
		})
	}
	must(t, c.client.Delete(t.Context(), shared))

	p := c.withProvider(t)
	must(t, p.SetFaults(t.Context(), simulator.Fault{Kind: simulator.FaultResponseLate, Operation: simulator.OperationCreate, Delay: simulator.Duration(3 * time.Second)}))
	changing := c.create(t, fromURL, toConfigMap)
	eventually(t, changing.Name+" is complete, which is changed all the time", func(ctx context.Context) error {
		patch := fmt.Sprintf(`{"metadata":{"annotations":{"example.com/changed":%q}}}`, time.Now())
		if err := c.client.Patch(ctx, changing, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
			return err
		}
		if !meta.IsStatusConditionTrue(changing.Status.Conditions, v1alpha1.ConditionFinished) {
			return errors.New("it has not finished")
		}
		return nil
	})
	must(t, p.SetFaults(t.Context()))
	c.complete(t, p, []*v1alpha1.TranscriptionJob{changing})
}

// briefly has a job deleted as soon as it has finished.
func briefly(spec *v1alpha1.TranscriptionJobSpec) { spec.TTLSecondsAfterFinished = ptr.To[int32](0) }

// right is what a ServiceAccount of the operator's may do, or has done: everywhere, or with one name.
type right struct{ account, verb, resource, group, name string }

// String is how a right is called in unprovoked.
func (r right) String() string {
	text := r.account + " " + r.verb + " " + r.resource
	if r.group != "" {
		text += "." + r.group
	}
	return strings.TrimSpace(text + " " + r.name)
}

func (r right) compare(other right) int { return strings.Compare(r.String(), other.String()) }

// named are the resources of which the roles give rights to single objects.
var named = map[string]bool{keysSecret: true, lease: true}

// grantedRights are all rights that manifests give to ServiceAccounts of the operator's namespace.
func grantedRights(t *testing.T, manifests string) map[right]bool {
	t.Helper()
	rules, accounts := map[string][]rbacv1.PolicyRule{}, map[string]string{}
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		// Roles and bindings of both kinds have the same fields.
		object := struct {
			metav1.TypeMeta   `json:",inline"`
			metav1.ObjectMeta `json:"metadata"`
			Rules             []rbacv1.PolicyRule
			RoleRef           rbacv1.RoleRef
			Subjects          []rbacv1.Subject
		}{}
		must(t, yaml.Unmarshal([]byte(document), &object))
		switch object.Kind {
		case "Role", "ClusterRole":
			rules[object.Kind+" "+object.Name] = object.Rules
		case "RoleBinding", "ClusterRoleBinding":
			accounts[object.RoleRef.Kind+" "+object.RoleRef.Name] = object.Subjects[0].Name
		}
	}
	granted := map[right]bool{}
	for role, account := range accounts {
		for _, rule := range rules[role] {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						for _, name := range append(rule.ResourceNames, "")[:max(1, len(rule.ResourceNames))] {
							if name != "" && !named[name] {
								t.Errorf("%s is a name that this test does not look for", name)
							}
							granted[right{account, verb, resource, group, name}] = true
						}
					}
				}
			}
		}
	}
	// Whoever reads nothing finds nothing.
	if len(accounts) < 5 || len(granted) < 20 {
		t.Fatalf("there are %d bindings and %d rights only", len(accounts), len(granted))
	}
	return granted
}

// answers are how often something that was asked for was allowed and refused.
type answers struct{ allowed, refused int }

// readAudit reads what the ServiceAccounts of the operator's namespace have asked the API server for.
func readAudit(t *testing.T, file string) map[right]answers {
	t.Helper()
	log, err := os.Open(file)
	must(t, err)
	defer func() { _ = log.Close() }()
	asked := map[right]answers{}
	lines := bufio.NewScanner(log)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var event struct {
			Verb string `json:"verb"`
			User struct {
				Username string `json:"username"`
			} `json:"user"`
			// ObjectRef is nil where no resource was asked for, as by discovery.
			ObjectRef *struct {
				Resource    string `json:"resource"`
				Namespace   string `json:"namespace"`
				Name        string `json:"name"`
				APIGroup    string `json:"apiGroup"`
				Subresource string `json:"subresource"`
			} `json:"objectRef"`
			ResponseStatus struct {
				Code int `json:"code"`
			} `json:"responseStatus"`
		}
		must(t, json.Unmarshal(lines.Bytes(), &event))
		account, ours := strings.CutPrefix(event.User.Username, "system:serviceaccount:"+operatorNamespace+":")
		ref := event.ObjectRef
		if !ours || ref == nil {
			continue
		}
		r := right{account, event.Verb, ref.Resource, ref.APIGroup, ""}
		if ref.Subresource != "" {
			r.resource += "/" + ref.Subresource
		}
		// What is to be created has no name that a role could go by.
		if ref.Namespace == operatorNamespace && named[ref.Name] && event.Verb != "create" {
			r.name = ref.Name
		}
		n := asked[r]
		if event.ResponseStatus.Code == 403 {
			n.refused++
		} else {
			n.allowed++
		}
		asked[r] = n
	}
	must(t, lines.Err())
	if len(asked) == 0 {
		t.Fatalf("%s has no request of the operator's", file)
	}
	return asked
}

// peopleHaveTheirRights: the roles for people have become a part of Kubernetes' own roles.
func peopleHaveTheirRights(t *testing.T, c *cluster) {
	const jobs, accounts, clusterAccounts = "transcriptionjobs", "speechmaticsaccounts", "clusterspeechmaticsaccounts"
	for _, role := range []string{"view", "edit", "admin"} {
		must(t, client.IgnoreAlreadyExists(c.client.Create(t.Context(), &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: userNamespace, Name: role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: role}},
		})))
	}
	for _, tt := range []struct {
		verb, resource, subresource string
		who                         []string
	}{
		{"get", jobs, "", []string{"view", "edit", "admin"}},
		{"watch", accounts, "", []string{"view", "edit", "admin"}},
		{"create", jobs, "", []string{"edit", "admin"}},
		{"delete", jobs, "", []string{"edit", "admin"}},
		{"create", accounts, "", []string{"admin"}},
		{"patch", accounts, "", []string{"admin"}},
		{"patch", jobs, "status", nil},
		{"get", clusterAccounts, "", nil},
		{"create", clusterAccounts, "", nil},
	} {
		for _, user := range []string{"view", "edit", "admin"} {
			want := slices.Contains(tt.who, user)
			// A controller puts the roles together, some time after they were applied.
			eventually(t, fmt.Sprintf("whether %s may %s %s/%s is %t", user, tt.verb, tt.resource, tt.subresource, want), func(ctx context.Context) error {
				review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: user, ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: userNamespace, Verb: tt.verb, Group: v1alpha1.GroupVersion.Group, Resource: tt.resource, Subresource: tt.subresource,
				}}}
				err := c.client.Create(ctx, review)
				if err == nil && review.Status.Allowed != want {
					err = errors.New("it is not")
				}
				return err
			})
		}
	}
	if _, err := c.command(t.Context(), "", *kubectlFlag, "-n", userNamespace, "--as=view", "get", "transcriptionjobs,speechmaticsaccounts"); err != nil {
		t.Errorf("who may view cannot: %v", err)
	}
}
