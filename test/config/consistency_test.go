// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package config_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/notification"
)

const (
	managerName  = "transcription-operator-manager"
	receiverName = "transcription-operator-webhook-receiver"

	// sharedKeys is the Secret with the notification keys.
	sharedKeys = "notification-keys"
)

// The objects name each other in ways that no API server checks.

func TestServicesReachPods(t *testing.T) {
	objects := append(render(t, "config/default"), render(t, "config/prometheus")...)
	deployments := all[appsv1.Deployment](t, objects, "Deployment")
	for _, service := range all[corev1.Service](t, objects, "Service") {
		for _, port := range service.Spec.Ports {
			targets := selected(deployments, labels.SelectorFromSet(service.Spec.Selector))
			if len(targets) != 1 || !hasPort(targets[0], port.TargetPort) {
				t.Errorf("Service %s, port %s: selects %d Deployments, wanted one with the port %s",
					service.Name, port.Name, len(targets), port.TargetPort.String())
			}
		}
	}
}

func TestPoliciesSelectPods(t *testing.T) {
	objects := render(t, "config/default")
	deployments := all[appsv1.Deployment](t, objects, "Deployment")
	for _, policy := range all[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy") {
		targets := selected(deployments, selector(t, &policy.Spec.PodSelector))
		if len(targets) != 1 {
			t.Errorf("NetworkPolicy %s selects %d Deployments, wanted one", policy.Name, len(targets))
			continue
		}
		for _, rule := range policy.Spec.Ingress {
			for _, port := range rule.Ports {
				if !hasPort(targets[0], *port.Port) {
					t.Errorf("NetworkPolicy %s opens the port %s, which the pods do not have", policy.Name, port.Port)
				}
			}
		}
	}
	for _, budget := range all[policyv1.PodDisruptionBudget](t, objects, "PodDisruptionBudget") {
		if targets := selected(deployments, selector(t, budget.Spec.Selector)); len(targets) != 1 {
			t.Errorf("PodDisruptionBudget %s selects %d Deployments, wanted one", budget.Name, len(targets))
		}
	}
}

// TestInternalListenerIsForTheManager reads the policy as a network plugin would.
func TestInternalListenerIsForTheManager(t *testing.T) {
	objects := render(t, "config/default")
	manager := one[appsv1.Deployment](t, objects, "Deployment", managerName)
	policy := one[networkingv1.NetworkPolicy](t, objects, "NetworkPolicy", receiverName)
	open := 0
	for _, rule := range policy.Spec.Ingress {
		if len(rule.Ports) != 1 {
			t.Fatalf("a rule has %d ports, wanted one, so that each port has its own peers", len(rule.Ports))
		}
		if rule.Ports[0].Port.StrVal != "internal" {
			continue
		}
		open++
		if len(rule.From) != 1 || rule.From[0].PodSelector == nil || rule.From[0].NamespaceSelector != nil {
			t.Fatalf("the internal port is open to %+v, wanted the manager's pods alone", rule.From)
		}
		if !selector(t, rule.From[0].PodSelector).Matches(labels.Set(manager.Spec.Template.Labels)) {
			t.Errorf("the internal port is not open to the manager")
		}
	}
	if open != 1 {
		t.Errorf("%d rules open the internal port, wanted one", open)
	}
}

// TestIngressLetsLargeBodiesThrough: what ingress-nginx lets through by default is less than the notification of a long recording has.
func TestIngressLetsLargeBodiesThrough(t *testing.T) {
	for name, objects := range map[string][]*unstructured.Unstructured{
		"kustomize": render(t, withComponent(t, "config/overlays/public-ingress", "cert-manager")),
		"helm":      renderChart(t, values("public-ingress"), "--set=ingress.annotations.a=b"),
	} {
		ingress := one[networkingv1.Ingress](t, objects, "Ingress", receiverName)
		if got := ingress.Annotations["nginx.ingress.kubernetes.io/proxy-body-size"]; got != "0" {
			t.Errorf("%s: the Ingress has the limit %q, beside %v", name, got, ingress.Annotations)
		}
	}
}

func TestManagerFindsReceiver(t *testing.T) {
	objects := render(t, "config/default")
	manager := one[appsv1.Deployment](t, objects, "Deployment", managerName)
	receiver := one[appsv1.Deployment](t, objects, "Deployment", receiverName)
	service := one[corev1.Service](t, objects, "Service", receiverName+"-internal")

	// The kubelet expands $(NAME) in arguments; the namespace comes from the pod.
	expand := strings.NewReplacer(
		"$(RECEIVER_SERVICE)", environment(manager)["RECEIVER_SERVICE"],
		"$(POD_NAMESPACE)", manager.Namespace,
	)
	got := expand.Replace(argument(t, manager, "--receiver-url"))
	want := fmt.Sprintf("http://%s.%s.svc:%d", service.Name, service.Namespace, service.Spec.Ports[0].Port)
	if got != want {
		t.Errorf("the manager's --receiver-url is %s, wanted the internal Service: %s", got, want)
	}
	if got, want := argument(t, receiver, "--replicas"), fmt.Sprint(*receiver.Spec.Replicas); got != want {
		t.Errorf("the receiver's --replicas is %s, but spec.replicas is %s", got, want)
	}
}

func TestBothShareTheKeys(t *testing.T) {
	objects := render(t, "config/default")
	secret := one[corev1.Secret](t, objects, "Secret", sharedKeys)
	if len(secret.Data)+len(secret.StringData) > 0 {
		t.Error("the manifests hold a key, which every installation would share, and which would be put back each time they are applied")
	}
	manager := one[appsv1.Deployment](t, objects, "Deployment", managerName)
	maker := manager.Spec.Template.Spec.InitContainers[0]
	if want := "--make-notification-keys=" + sharedKeys; !slices.Contains(maker.Args, want) || maker.Image != manager.Spec.Template.Spec.Containers[0].Image {
		t.Errorf("the init container %s of %v does not make the key: it is started with %v, without %s", maker.Image, manager.Name, maker.Args, want)
	}
	for _, deployment := range all[appsv1.Deployment](t, objects, "Deployment") {
		folder := argument(t, deployment, "--notification-keys")
		pod := deployment.Spec.Template.Spec
		mount := slices.IndexFunc(pod.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == folder })
		if mount < 0 {
			t.Errorf("%s mounts nothing at its --notification-keys, %s", deployment.Name, folder)
			continue
		}
		if pod.Containers[0].VolumeMounts[mount].SubPath != "" {
			t.Errorf("%s mounts the keys with a subPath, so that a rotated key never arrives", deployment.Name)
		}
		volume := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == pod.Containers[0].VolumeMounts[mount].Name })
		if volume < 0 || !mountsWhole(pod.Volumes[volume], sharedKeys) {
			t.Errorf("%s mounts something else than the whole Secret %s at %s", deployment.Name, sharedKeys, folder)
		}
	}
	// The manager makes the key and must not wait for it; the receiver can do nothing without.
	receiver := one[appsv1.Deployment](t, objects, "Deployment", receiverName)
	if waitsForKey(manager) || !waitsForKey(receiver) {
		t.Errorf("the pods wait for a signing key: manager %t, want false; receiver %t, want true", waitsForKey(manager), waitsForKey(receiver))
	}
}

// mountsWhole says whether a volume has all keys of a Secret, in one piece: so they always come from one state of it.
func mountsWhole(volume corev1.Volume, secret string) bool {
	if volume.Projected == nil {
		return volume.Secret != nil && volume.Secret.SecretName == secret && len(volume.Secret.Items) == 0
	}
	return slices.ContainsFunc(volume.Projected.Sources, func(s corev1.VolumeProjection) bool {
		return s.Secret != nil && s.Secret.Name == secret && len(s.Secret.Items) == 0
	})
}

// waitsForKey says whether the pods cannot be started before the Secret has a signing key: the kubelet insists on items that are not optional.
func waitsForKey(deployment appsv1.Deployment) bool {
	for _, volume := range deployment.Spec.Template.Spec.Volumes {
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if source.Secret == nil || source.Secret.Name != sharedKeys || ptr.Deref(source.Secret.Optional, false) {
				continue
			}
			if slices.ContainsFunc(source.Secret.Items, func(k corev1.KeyToPath) bool { return k.Key == notification.SigningKeyFile }) {
				return true
			}
		}
	}
	return false
}

func TestVolumeIsMountedAsSaid(t *testing.T) {
	objects := render(t, "config/overlays/transcripts-volume")
	receiver := one[appsv1.Deployment](t, objects, "Deployment", receiverName)
	claim, rest, _ := strings.Cut(argument(t, receiver, "--volume"), "=")
	path, mode, _ := strings.Cut(rest, ",")

	pvc := one[corev1.PersistentVolumeClaim](t, objects, "PersistentVolumeClaim", claim)
	if pvc.Namespace != receiver.Namespace || !slices.Equal(pvc.Spec.AccessModes, []corev1.PersistentVolumeAccessMode{corev1.PersistentVolumeAccessMode(mode)}) {
		t.Errorf("the claim %s/%s has the modes %v; the receiver in %s is told %q", pvc.Namespace, pvc.Name, pvc.Spec.AccessModes, receiver.Namespace, mode)
	}
	pod := receiver.Spec.Template.Spec
	mounted := ""
	for _, volume := range pod.Volumes {
		if volume.PersistentVolumeClaim == nil || volume.PersistentVolumeClaim.ClaimName != claim {
			continue
		}
		for _, mount := range pod.Containers[0].VolumeMounts {
			if mount.Name == volume.Name {
				mounted = mount.MountPath
			}
		}
	}
	if mounted != path {
		t.Errorf("the claim %s is mounted at %q; the receiver is told %q", claim, mounted, path)
	}
}

// TestScratchFitsItsVolume: the root file system is read-only, and the kubelet evicts a pod whose emptyDir outgrows its limit.
func TestScratchFitsItsVolume(t *testing.T) {
	receiver := one[appsv1.Deployment](t, render(t, "config/default"), "Deployment", receiverName)
	pod := receiver.Spec.Template.Spec
	path := argument(t, receiver, "--scratch-directory")
	mount := slices.IndexFunc(pod.Containers[0].VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == path })
	if mount < 0 {
		t.Fatalf("nothing is mounted at %s", path)
	}
	volume := slices.IndexFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == pod.Containers[0].VolumeMounts[mount].Name })
	if volume < 0 || pod.Volumes[volume].EmptyDir == nil || pod.Volumes[volume].EmptyDir.Medium != corev1.StorageMediumDefault {
		t.Fatalf("what is mounted at %s is no emptyDir on the node's disk", path)
	}
	used := resource.MustParse(argument(t, receiver, "--scratch-max-bytes"))
	if limit := pod.Volumes[volume].EmptyDir.SizeLimit; limit == nil || limit.Cmp(used) <= 0 {
		t.Errorf("the volume's sizeLimit is %v, not more than --scratch-max-bytes, %s", limit, used.String())
	}
}

func selector(t *testing.T, of *metav1.LabelSelector) labels.Selector {
	t.Helper()
	selector, err := metav1.LabelSelectorAsSelector(of)
	if err != nil {
		t.Fatal(err)
	}
	return selector
}

func selected(deployments []appsv1.Deployment, by labels.Selector) []appsv1.Deployment {
	var found []appsv1.Deployment
	for _, deployment := range deployments {
		if !by.Empty() && by.Matches(labels.Set(deployment.Spec.Template.Labels)) {
			found = append(found, deployment)
		}
	}
	return found
}

func hasPort(deployment appsv1.Deployment, port intstr.IntOrString) bool {
	return slices.ContainsFunc(deployment.Spec.Template.Spec.Containers[0].Ports, func(p corev1.ContainerPort) bool {
		return p.Name == port.StrVal
	})
}

// argument returns the value of a flag that a Deployment's container is started with.
func argument(t *testing.T, deployment appsv1.Deployment, flag string) string {
	t.Helper()
	for _, arg := range deployment.Spec.Template.Spec.Containers[0].Args {
		if value, found := strings.CutPrefix(arg, flag+"="); found {
			return value
		}
	}
	t.Fatalf("%s is started without %s", deployment.Name, flag)
	return ""
}

func environment(deployment appsv1.Deployment) map[string]string {
	values := map[string]string{}
	for _, variable := range deployment.Spec.Template.Spec.Containers[0].Env {
		values[variable.Name] = variable.Value
	}
	return values
}
