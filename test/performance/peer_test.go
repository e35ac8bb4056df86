// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

// peerNode is the node that kwok plays. Pods are created for it, so that no scheduler is needed.
const peerNode = "kwok"

// kubernetesJobs has Kubernetes' Job controller do as many jobs, whose pods kwok lets run for as long as the provider takes. It has less to do
// than we: it talks to nobody outside of the cluster, stores nothing, and no client of it is slowed down.
func kubernetesJobs(ctx context.Context, b *bench, in inputs) (*measures, error) {
	if *peers == "" {
		return nil, errors.New("-performance.peers is not set; run `make bench`")
	}
	p, err := b.startPeer(ctx)
	if err != nil {
		return nil, err
	}
	m := newMeasures()
	return m, errors.Join(p.measure(ctx, in, m), p.close())
}

// peer is Kubernetes' Job controller and kwok.
type peer struct {
	*bench
	namespace        string
	controller, kwok *harness.Program
}

func (b *bench) startPeer(ctx context.Context) (*peer, error) {
	p := &peer{bench: b, namespace: b.name()}
	kubeconfig := filepath.Join(b.dir, "admin.kubeconfig")
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: peerNode}}
	err := errors.Join(b.cluster.WriteAdminKubeconfig(kubeconfig), b.cluster.CreateNamespace(ctx, p.namespace))
	if err == nil {
		if err = b.cluster.Client.Create(ctx, node); apierrors.IsAlreadyExists(err) {
			err = nil // an earlier run's
		}
	}
	if err != nil {
		return nil, err
	}
	p.kwok, err = harness.StartProgram(b.dir, harness.ProgramOptions{
		Name: "kwok-" + p.namespace, Path: filepath.Join(*peers, "kwok"), Grace: time.Minute,
		Args: []string{"--kubeconfig=" + kubeconfig, "--manage-all-nodes=true", "--node-lease-duration-seconds=0", "--config=" + filepath.Join(harness.Root(), "test", "performance", "kwok.yaml")},
	})
	if err != nil {
		return nil, err
	}
	p.controller, err = harness.StartProgram(b.dir, harness.ProgramOptions{
		Name: "kube-controller-manager-" + p.namespace, Path: filepath.Join(*peers, "kube-controller-manager"), Grace: time.Minute,
		Args: []string{
			"--kubeconfig=" + kubeconfig, "--controllers=job-controller", "--leader-elect=false", "--secure-port=0",
			// It may do as much at once as our manager, and its client does not hold it up.
			"--concurrent-job-syncs=16", "--kube-api-qps=10000", "--kube-api-burst=10000",
		},
	})
	if err != nil {
		return nil, errors.Join(err, p.kwok.Discard())
	}
	return p, nil
}

func (p *peer) close() error { return errors.Join(p.controller.Discard(), p.kwok.Discard()) }

func (p *peer) measure(ctx context.Context, in inputs, m *measures) error {
	if err := p.warmUp(ctx); err != nil {
		return err
	}
	mark, err := p.auditMark()
	if err != nil {
		return err
	}
	before, err := p.cpu()
	if err != nil {
		return err
	}
	began, complete, err := p.drain(ctx, "job", in.Jobs)
	if err != nil {
		return err
	}
	var last time.Time
	for _, at := range complete {
		if at.After(last) {
			last = at
		}
	}
	after, err := p.cpu()
	if err != nil {
		return err
	}
	jobs := float64(in.Jobs)
	m.add("jobs/s", jobs/last.Sub(began).Seconds(), "1/s")
	if err := p.addTraffic(ctx, mark, p.namespace, jobs, m); err != nil {
		return err
	}
	m.add("CPU s per 1000 jobs", 1000*(after-before).Seconds()/jobs, "s")
	controller, err := memoryOf(p.controller, peakLine)
	kwok, err2 := memoryOf(p.kwok, peakLine)
	m.add("peak RSS", controller+kwok, "MB")
	return errors.Join(err, err2)
}

// warmUp has one job done, so that what starts is not measured.
func (p *peer) warmUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	_, _, err := p.drain(ctx, "warm-up", 1)
	return err
}

// drain creates jobs, and waits until each is complete.
func (p *peer) drain(ctx context.Context, name string, n int) (began time.Time, complete map[string]time.Time, err error) {
	watch, err := startWatch(ctx, p.cluster.Config, "/apis/batch/v1/namespaces/"+p.namespace+"/jobs", "Complete")
	if err != nil {
		return time.Time{}, nil, err
	}
	defer watch.close()
	there, err := p.jobs(ctx)
	if err != nil {
		return time.Time{}, nil, err
	}
	began = time.Now()
	if err := p.create(ctx, n, 0, func(i int) client.Object { return p.job(fmt.Sprintf("%s-%06d", name, i)) }); err != nil {
		return time.Time{}, nil, err
	}
	complete, err = watch.await(ctx, there+n)
	return began, complete, err
}

// jobs is how many jobs there are.
func (p *peer) jobs(ctx context.Context) (int, error) {
	list := &batchv1.JobList{}
	err := p.cluster.Client.List(ctx, list, client.InNamespace(p.namespace))
	return len(list.Items), err
}

func (p *peer) job(name string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			NodeName: peerNode, RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: ptr.To(false),
			Containers: []corev1.Container{{Name: "work", Image: "example.com/work"}},
		}}},
	}
}

func (p *peer) cpu() (time.Duration, error) {
	controller, err := cpuOf(p.controller)
	kwok, err2 := cpuOf(p.kwok)
	return controller + kwok, errors.Join(err, err2)
}
