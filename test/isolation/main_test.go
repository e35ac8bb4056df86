// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

const (
	// startTimeout bounds the start of everything, the build of the programs included.
	startTimeout = 5 * time.Minute
	// patience is how long a test waits for something that has to happen.
	patience = 2 * time.Minute

	// thief is the user who attacks, and the namespace that is hers; victim is the other one.
	thief  = "mallory"
	victim = "victim"

	// sharedAccount is a cluster account that both namespaces may use, closedAccount one that neither may.
	sharedAccount = "shared"
	closedAccount = "closed"

	recording = "standup.wav"
)

// town is the installation that all tests attack.
var town *installation

// installation is the operator with two tenants.
type installation struct {
	*harness.System

	// admin may do everything, mallory may create jobs in her namespace, and nothing else.
	admin, mallory client.Client
	// evil is a server of mallory's, on the internet.
	evil *evilServer
}

func TestMain(m *testing.M) {
	flag.Parse()
	logf.SetLogger(logr.Discard()) // what the tests' own clients have to say
	if listing := flag.Lookup("test.list"); listing != nil && listing.Value.String() != "" {
		os.Exit(m.Run())
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "isolation:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// run starts the installation, runs the tests and ends it. Its logs stay if a test failed.
func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "isolation-")
	if err != nil {
		return 1, err
	}
	defer func() {
		if code == 0 && err == nil {
			err = os.RemoveAll(dir)
			return
		}
		fmt.Fprintln(os.Stderr, "isolation: logs and files are in", dir)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	programs, err := harness.Build(ctx, dir, "")
	if err != nil {
		return 1, err
	}
	cluster, err := harness.StartCluster(ctx, dir, programs)
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, cluster.APIServer.Discard(), cluster.Etcd.Discard()) }() // nothing of it is needed any more
	if town, err = settle(ctx, cluster); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, town.Close()) }()
	return m.Run(), nil
}

// settle starts the system, and gives it its two tenants and its cluster accounts.
func settle(ctx context.Context, cluster *harness.Cluster) (*installation, error) {
	s, err := cluster.StartSystem(ctx, harness.SystemOptions{
		Name: victim, ManagerArgs: []string{"--watch-namespaces=" + victim + "," + thief},
	})
	if err != nil {
		return nil, err
	}
	t := &installation{System: s, admin: cluster.Client, evil: startEvilServer()}
	impersonated := rest.CopyConfig(cluster.Config)
	impersonated.Impersonate.UserName = thief
	if t.mallory, err = client.New(impersonated, client.Options{Scheme: t.admin.Scheme()}); err != nil {
		return nil, err
	}
	for _, step := range []func(context.Context) error{t.record, t.makeTenants, t.makeAccounts} {
		if err := step(ctx); err != nil {
			return nil, errors.Join(err, t.Close())
		}
	}
	return t, nil
}

// Close ends everything.
func (t *installation) Close() error {
	t.evil.Close()
	return t.System.Close()
}

// record puts a recording, and what is said in it, where the provider finds it.
func (t *installation) record(context.Context) error {
	for _, name := range []string{recording, "standup.txt"} {
		content, err := os.ReadFile(sample(name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(t.Media, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func sample(name string) string {
	return filepath.Join(harness.Root(), "config", "samples", "media", name)
}

// makeTenants makes mallory's namespace, in which she may do with jobs what she likes.
func (t *installation) makeTenants(ctx context.Context) error {
	label := map[string]string{"speech": "shared"}
	namespace := &corev1.Namespace{}
	if err := t.admin.Get(ctx, client.ObjectKey{Name: victim}, namespace); err != nil {
		return err
	}
	namespace.Labels["speech"] = "shared"
	return errors.Join(
		t.admin.Update(ctx, namespace),
		t.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: thief, Labels: label}}),
		t.admin.Create(ctx, &rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: thief, Name: "jobs"},
			Rules: []rbacv1.PolicyRule{{
				APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"transcriptionjobs"},
				Verbs: []string{"create", "get", "list", "watch", "update", "patch", "delete"},
			}},
		}),
		t.admin.Create(ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: thief, Name: "jobs"},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "jobs"},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: thief}},
		}),
	)
}

// makeAccounts makes the cluster accounts. The closed one is at a server that notes what it is asked.
func (t *installation) makeAccounts(ctx context.Context) error {
	all := []error{t.admin.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.SystemNamespace, Name: "key"}, StringData: map[string]string{"apiKey": t.APIKey},
	})}
	for name, account := range map[string]v1alpha1.ClusterSpeechmaticsAccountSpec{
		sharedAccount: {
			SpeechmaticsAccountSpec: v1alpha1.SpeechmaticsAccountSpec{BaseURL: ptr.To(t.BaseURL())},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"speech": "shared"}},
		},
		closedAccount: {
			SpeechmaticsAccountSpec: v1alpha1.SpeechmaticsAccountSpec{BaseURL: ptr.To(t.evil.URL + "/closed/v2")},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"speech": "closed"}},
		},
	} {
		account.APIKeySecretRef = &v1alpha1.APIKeySecretReference{Name: "key"}
		all = append(all, t.admin.Create(ctx, &v1alpha1.ClusterSpeechmaticsAccount{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: account}))
	}
	return errors.Join(all...)
}
