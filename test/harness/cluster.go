// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// Cluster is a control plane with the project's CRDs and roles. Several systems may share it, each in namespaces of its own.
type Cluster struct {
	*ControlPlane

	// Config and Client reach the API server directly, without proxy and cache, with an administrator's rights.
	Config *rest.Config
	Client client.WithWatch

	dir      string
	programs Programs
}

// ClusterOptions say how a control plane is run. The zero value is the fastest.
type ClusterOptions struct {
	// Durable has etcd wait for the disk, as in a real cluster.
	Durable bool
	// AuditLog is a file to which the API server writes every request, but watches; empty means none.
	AuditLog string
}

// StartCluster starts a control plane whose data and logs are in dir.
func StartCluster(ctx context.Context, dir string, programs Programs) (*Cluster, error) {
	return StartClusterWith(ctx, dir, programs, ClusterOptions{})
}

// StartClusterWith is StartCluster with options.
func StartClusterWith(ctx context.Context, dir string, programs Programs, options ClusterOptions) (*Cluster, error) {
	plane, err := startControlPlane(ctx, dir, programs, options)
	if err != nil {
		return nil, fmt.Errorf("cannot start the control plane; see %s/*.log: %w", dir, err)
	}
	c := &Cluster{ControlPlane: plane, Config: plane.config(userAdmin), dir: dir, programs: programs}
	if err := c.prepare(ctx); err != nil {
		return nil, errors.Join(err, plane.Close())
	}
	return c, nil
}

// prepare installs the CRDs and gives the programs' users their roles.
func (c *Cluster) prepare(ctx context.Context) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return fmt.Errorf("cannot build the scheme: %w", err)
		}
	}
	var err error
	if c.Client, err = client.NewWithWatch(c.Config, client.Options{Scheme: scheme}); err != nil {
		return fmt.Errorf("cannot make a client: %w", err)
	}
	manifests, err := filepath.Glob(filepath.Join(Root(), "config", "crd", "bases", "*.yaml"))
	if err != nil || len(manifests) == 0 {
		return errors.Join(errors.New("there are no CRDs in config/crd/bases"), err)
	}
	for _, role := range []string{"manager_role.yaml", "manager_cluster_role.yaml", "webhook_receiver_role.yaml"} {
		manifests = append(manifests, filepath.Join(Root(), "config", "rbac", role))
	}
	for _, manifest := range manifests {
		if err := c.install(ctx, manifest, ""); err != nil {
			return err
		}
	}
	for role, user := range map[string]string{"manager-role": userManager, "manager-cluster-role": userManager, "webhook-receiver-role": userReceiver} {
		binding := &rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}},
		}
		if err := c.Client.Create(ctx, binding); err != nil {
			return fmt.Errorf("cannot give %s its role: %w", user, err)
		}
	}
	return poll(ctx, "the CRDs are established", c.established)
}

// established tries whether the project's objects can be listed.
func (c *Cluster) established(ctx context.Context) error {
	for _, list := range []client.ObjectList{&v1alpha1.TranscriptionJobList{}, &v1alpha1.SpeechmaticsAccountList{}, &v1alpha1.ClusterSpeechmaticsAccountList{}} {
		if err := c.Client.List(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

// install creates the objects of a manifest, in a namespace if they belong into one.
func (c *Cluster) install(ctx context.Context, manifest, namespace string) error {
	content, err := os.ReadFile(manifest)
	if err != nil {
		return fmt.Errorf("cannot read a manifest: %w", err)
	}
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		object := &unstructured.Unstructured{}
		if err == nil {
			err = yaml.Unmarshal(document, &object.Object)
		}
		if err != nil {
			return fmt.Errorf("cannot read %s: %w", manifest, err)
		}
		if len(object.Object) == 0 {
			continue // a comment
		}
		object.SetNamespace(namespace)
		if err := c.Client.Create(ctx, object); err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("cannot create %s of %s: %w", object.GetName(), manifest, err)
		}
	}
}

// CreateNamespace creates a namespace.
func (c *Cluster) CreateNamespace(ctx context.Context, name string) error {
	if err := c.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		return fmt.Errorf("cannot create namespace %s: %w", name, err)
	}
	return nil
}

// WriteAdminKubeconfig writes a kubeconfig with an administrator's rights, for other programs than ours.
func (c *Cluster) WriteAdminKubeconfig(file string) error {
	return c.writeKubeconfig(file, userAdmin, c.address)
}

// giveLease lets the manager elect its leader in a namespace.
func (c *Cluster) giveLease(ctx context.Context, namespace string) error {
	if err := c.install(ctx, filepath.Join(Root(), "config", "rbac", "leader_election_role.yaml"), namespace); err != nil {
		return err
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "leader-election"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "leader-election-role"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: userManager}},
	}
	if err := c.Client.Create(ctx, binding); err != nil {
		return fmt.Errorf("cannot let the manager elect its leader: %w", err)
	}
	return nil
}
