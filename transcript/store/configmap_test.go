// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
)

func configMapJob(t testing.TB) Job {
	t.Helper()
	return Job{
		Namespace: env.Namespace(t.Context(), t, nil), Name: "standup", UID: newUID(), Attempt: 1, ID: "z2jfp1jwu1",
		Wanted: []Key{{Format: v1alpha1.FormatText}, {Format: v1alpha1.FormatJSONv2}},
	}
}

func get(t testing.TB, namespace, name string) *corev1.ConfigMap {
	t.Helper()
	var found corev1.ConfigMap
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, &found); err != nil {
		t.Fatal(err)
	}
	return &found
}

func names(t testing.TB, namespace string) []string {
	t.Helper()
	var list corev1.ConfigMapList
	if err := env.Client.List(t.Context(), &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	found := []string{}
	for _, object := range list.Items {
		found = append(found, object.Name)
	}
	return found
}

func sum(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}

// noise is text that hardly compresses.
func noise(n int) string {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-"[r.IntN(64)]
	}
	return string(b)
}

func TestConfigMapOfASmallTranscript(t *testing.T) {
	job := configMapJob(t)
	const text = "Good morning, everybody. Grüß Gott.\n"
	got := mustKeep(t, newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes), job, v1alpha1.FormatText, text)
	want := v1alpha1.StoredTranscript{
		Format: "txt", Attempt: 1, JobID: "z2jfp1jwu1",
		ConfigMapRef: &v1alpha1.TranscriptConfigMapReference{Name: "standup-txt", Key: "transcript.txt"},
		Encoding:     "identity", Parts: 1, Bytes: ptr.To(int64(len(text))), SHA256: sum(text),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
	object := get(t, job.Namespace, "standup-txt")
	wantObject := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Labels: map[string]string{
				"app.kubernetes.io/managed-by": "transcription-operator", "transcription-operator.io/job-name": "standup",
				"transcription-operator.io/job-uid": string(job.UID), "transcription-operator.io/format": "txt",
				"transcription-operator.io/attempt": "1", "transcription-operator.io/part": "00",
			},
			Annotations: map[string]string{
				"transcription-operator.io/sha256": sum(text), "transcription-operator.io/bytes": fmt.Sprint(len(text)),
				"transcription-operator.io/encoding": "identity", "transcription-operator.io/parts": "1", "transcription-operator.io/job-id": "z2jfp1jwu1",
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "transcription-operator.io/v1alpha1", Kind: "TranscriptionJob", Name: "standup", UID: job.UID,
			}},
		},
		Immutable: ptr.To(true),
		Data:      map[string]string{"transcript.txt": text},
	}
	object.ObjectMeta = metav1.ObjectMeta{Labels: object.Labels, Annotations: object.Annotations, OwnerReferences: object.OwnerReferences}
	if diff := cmp.Diff(wantObject, object); diff != "" {
		t.Errorf("ConfigMap (-want +got):\n%s", diff)
	}
}

func TestConfigMapNamesAndRetention(t *testing.T) {
	job := configMapJob(t)
	job.Attempt = 3
	job.Transcripts.ConfigMap = &v1alpha1.ConfigMapStore{Name: ptr.To("minutes"), RetentionPolicy: ptr.To(v1alpha1.RetentionRetain)}
	got := mustKeep(t, newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes), job, v1alpha1.FormatSRT, "")
	if name := "minutes-" + string(job.UID)[:8] + "-3-srt"; got.ConfigMapRef.Name != name || got.ConfigMapRef.Key != "transcript.srt" || *got.Bytes != 0 || got.Parts != 1 {
		t.Errorf("stored %+v, %+v", got, got.ConfigMapRef)
	}
	if owners := get(t, job.Namespace, got.ConfigMapRef.Name).OwnerReferences; len(owners) != 0 {
		t.Errorf("a ConfigMap that is to be retained has owners: %+v", owners)
	}
}

// What is not valid UTF-8 cannot be data.
func TestConfigMapOfBytes(t *testing.T) {
	job := configMapJob(t)
	mustKeep(t, newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes), job, v1alpha1.FormatText, "\xff\xfe")
	if got := get(t, job.Namespace, "standup-txt").BinaryData["transcript.txt"]; string(got) != "\xff\xfe" {
		t.Errorf("binaryData holds %q", got)
	}
}

// shell runs a command of the documentation.
func shell(t *testing.T, namespace, command string) string {
	t.Helper()
	var out bytes.Buffer
	env.Shell(t, namespace, command, &out)
	return out.String()
}

func TestSmallTranscriptIsReadBackAsDocumented(t *testing.T) {
	job := configMapJob(t)
	mustKeep(t, newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes), job, v1alpha1.FormatText, "Good morning.\n")
	if read := shell(t, job.Namespace, testenv.Documented(t, "README.md", "kubectl get configmap standup-txt")); read != "Good morning.\n" {
		t.Errorf("read back %q", read)
	}
}

func TestLargeTranscriptIsReadBackAsDocumented(t *testing.T) {
	job := configMapJob(t)
	s := newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes)
	text := strings.Repeat("All work and no play makes a dull transcript.\n", 2000)
	key := Key{Format: "vtt", Language: "de"}
	got, err := keepKey(t, s, job, key, text)
	if err != nil {
		t.Fatal(err)
	}
	if got.Encoding != v1alpha1.EncodingGzip || got.ConfigMapRef.Key != "transcript.de.vtt.gz" || got.Parts != 1 || got.SHA256 != sum(text) || *got.Bytes != int64(len(text)) {
		t.Errorf("stored %+v", got)
	}
	// Neither the same format in the language that was spoken nor another format in German is mixed up with it.
	mustKeep(t, s, job, "vtt", noise(50_000))
	if _, err := keepKey(t, s, job, Key{Format: v1alpha1.FormatSRT, Language: "de"}, noise(50_000)); err != nil {
		t.Fatal(err)
	}
	if read := shell(t, job.Namespace, testenv.Documented(t, "README.md", "format=vtt", "language=de", "gunzip")); read != text {
		t.Errorf("read back %d bytes that are not the %d stored", len(read), len(text))
	}
}

func TestSplitTranscriptIsReadBackAsDocumented(t *testing.T) {
	job := configMapJob(t)
	s := newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes)
	if s.partBytes%3 != 0 {
		t.Errorf("parts of %d bytes end with padding in base64", s.partBytes)
	}
	s.partBytes = 20_001
	text := noise(280_000) // some 210 kB compressed: more than ten parts, so that their order matters
	got := mustKeep(t, s, job, v1alpha1.FormatJSONv2, text)
	if got.Parts < 11 || got.ConfigMapRef.Name != "standup-json-v2" || got.SHA256 != sum(text) {
		t.Errorf("stored %+v", got)
	}
	if found := names(t, job.Namespace); len(found) != int(got.Parts) || found[0] != "standup-json-v2-00" {
		t.Errorf("ConfigMaps %v, want %d parts", found, got.Parts)
	}
	if read := shell(t, job.Namespace, testenv.Documented(t, "README.md", "format=json-v2", "gunzip")); read != text {
		t.Errorf("read back %d bytes that are not the %d stored", len(read), len(text))
	}
	again := mustKeep(t, s, job, v1alpha1.FormatJSONv2, text)
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("stored again (-first +second):\n%s", diff)
	}
}

// What is staged is on disk, and one part at a time is in memory.
func TestConfigMapsNeedNoMemory(t *testing.T) {
	const most = 2 << 20
	created := 0
	c := interceptor.NewClient(env.Client, interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return apierrors.NewNotFound(corev1.Resource("configmaps"), "x")
		},
		Create: func(_ context.Context, _ client.WithWatch, _ client.Object, _ ...client.CreateOption) error {
			created++
			return nil
		},
	})
	s := newConfigMaps(t, c, 64<<20)
	s.partBytes = 150_000
	store := func(size int64) uint64 {
		batch, err := s.Begin(t.Context(), configMapJob(t))
		if err != nil {
			t.Fatal(err)
		}
		defer batch.Discard()
		heap := testenv.WatchHeap()
		// The block is longer than what gzip looks back.
		text := &repeatingReader{block: []byte(noise(100_000))}
		if err := batch.Stage(t.Context(), Key{Format: v1alpha1.FormatText}, io.LimitReader(text, size)); err != nil {
			t.Fatal(err)
		}
		if stored, err := batch.Commit(t.Context()); err != nil || len(stored) != 1 || *stored[0].Bytes != size {
			t.Fatalf("stored %+v, %v", stored, err)
		}
		return heap.End()
	}
	little := store(200_000)
	if much := store(5 << 20); much > little+most || created < 25 {
		t.Errorf("for 5 MiB in %d ConfigMaps, the live heap grows by %d bytes, more than %d", created, much-little, most)
	}
}

// After a crash between two parts, the same transcript is completed, and a half is never taken for a whole.
func TestHalfWrittenTranscriptIsCompleted(t *testing.T) {
	for _, missing := range []string{"first", "last"} {
		t.Run(missing, func(t *testing.T) {
			job := configMapJob(t)
			crash := errors.New("the power failed")
			count := 0
			crashing := interceptor.NewClient(env.Client, interceptor.Funcs{
				Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
					if count++; count > 2 {
						return crash
					}
					return c.Create(ctx, obj, opts...)
				},
			})
			s := newConfigMaps(t, crashing, DefaultConfigMapMaxBytes)
			s.partBytes = 10_000
			text := noise(40_000)
			if _, err := keep(t, s, job, v1alpha1.FormatText, text); !errors.Is(err, crash) {
				t.Fatalf("want the crash, got %v", err)
			}
			if found := names(t, job.Namespace); len(found) != 2 || found[0] != "standup-txt-01" {
				t.Fatalf("ConfigMaps %v: the first part must come last", found)
			}
			s.client = env.Client
			// Another version of the transcript cannot complete it, and does not harm it.
			var unavailable *UnavailableError
			if _, err := keep(t, s, job, v1alpha1.FormatText, strings.ToUpper(text)); !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "standup-txt-01") {
				t.Errorf("another version of a half-written transcript: %v", err)
			}
			got := mustKeep(t, s, job, v1alpha1.FormatText, text)
			if missing == "last" { // a person deletes one of them
				if err := env.Client.Delete(t.Context(), get(t, job.Namespace, "standup-txt-02")); err != nil {
					t.Fatal(err)
				}
				got = mustKeep(t, s, job, v1alpha1.FormatText, text)
			}
			if read := readParts(t, job.Namespace, "standup-txt", int(got.Parts), "transcript.txt.gz"); read != text {
				t.Error("what was completed is not the transcript")
			}
		})
	}
}

func readParts(t *testing.T, namespace, base string, parts int, key string) string {
	t.Helper()
	var stored bytes.Buffer
	for i := range parts {
		stored.Write(get(t, namespace, partName(base, i)).BinaryData[key])
	}
	gz, err := gzip.NewReader(&stored)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(gz)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDuplicateWritesNothing(t *testing.T) {
	job := configMapJob(t)
	s := newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes)
	first := mustKeep(t, s, job, v1alpha1.FormatText, "one")
	version := get(t, job.Namespace, "standup-txt").ResourceVersion
	for _, text := range []string{"one", "two"} {
		if diff := cmp.Diff(first, mustKeep(t, s, job, v1alpha1.FormatText, text)); diff != "" {
			t.Errorf("after %q (-first +second):\n%s", text, diff)
		}
	}
	if got := get(t, job.Namespace, "standup-txt"); got.ResourceVersion != version || got.Data["transcript.txt"] != "one" {
		t.Errorf("the ConfigMap changed: %+v", got)
	}
	if err := s.Check(t.Context(), job); err != nil {
		t.Errorf("the job's own ConfigMap is in its way: %v", err)
	}
}

// Translations are ConfigMaps of their own, beside the transcript in the language that was spoken.
func TestConfigMapsOfTranslations(t *testing.T) {
	job := configMapJob(t)
	s := newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes)
	big := noise(60_000)
	for _, tt := range []struct {
		language, text, name, dataKey string
	}{
		{"", "Good morning.", "standup-txt", "transcript.txt"},
		{"de", "Guten Morgen.", "standup-txt-de", "transcript.de.txt"},
		{"cmn_Hant", big, "standup-txt-cmn-hant", "transcript.cmn_Hant.txt.gz"},
	} {
		got, err := keepKey(t, s, job, Key{Format: v1alpha1.FormatText, Language: tt.language}, tt.text)
		if err != nil {
			t.Fatal(err)
		}
		if got.Language != tt.language || got.ConfigMapRef.Name != tt.name || got.ConfigMapRef.Key != tt.dataKey || got.SHA256 != sum(tt.text) {
			t.Errorf("stored %+v, %+v, want %+v", got, got.ConfigMapRef, tt)
		}
		if label, ok := get(t, job.Namespace, tt.name).Labels[LabelLanguage]; label != tt.language || ok != (tt.language != "") {
			t.Errorf("%s has the language %q (%v)", tt.name, label, ok)
		}
	}
	// Of two languages whose names are the same but for case, the second is refused, not taken for the first.
	var conflict *ConflictError
	if _, err := keepKey(t, s, job, Key{Format: v1alpha1.FormatText, Language: "cmn-hant"}, big); !errors.As(err, &conflict) || !strings.Contains(err.Error(), "txt in cmn_Hant") {
		t.Errorf("another language of the same name: %v", err)
	}
	for _, language := range []string{"../de", "de/..", "d e", "-de", "de_", strings.Repeat("d", 33), "de\x00"} {
		batch, err := s.Begin(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if err := batch.Stage(t.Context(), Key{Format: v1alpha1.FormatText, Language: language}, strings.NewReader("x")); err == nil {
			t.Errorf("the language %q is accepted", language)
		}
	}
}

// What could not be staged does not keep the rest from being stored, and is not stored itself.
func TestStageThatFailsLeavesTheOthers(t *testing.T) {
	dir := t.TempDir()
	volume := volumeJob()
	for name, tt := range map[string]struct {
		store Store
		job   Job
	}{
		"ConfigMaps": {newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes), configMapJob(t)},
		"volume":     {openVolume(t, dir), volume},
	} {
		t.Run(name, func(t *testing.T) {
			batch, err := tt.store.Begin(t.Context(), tt.job)
			if err != nil {
				t.Fatal(err)
			}
			defer batch.Discard()
			stage(t, batch, v1alpha1.FormatText, "whole")
			for _, size := range []int{10, 100_000} {
				if err := batch.Stage(t.Context(), Key{Format: v1alpha1.FormatSRT}, &brokenReader{noise(size)}); !errors.Is(err, errBroken) {
					t.Errorf("Stage() = %v, want the reader's error", err)
				}
			}
			stage(t, batch, v1alpha1.FormatJSONv2, "{}")
			stored, err := batch.Commit(t.Context())
			if err != nil || len(stored) != 2 || stored[0].Format != v1alpha1.FormatText || stored[1].Format != v1alpha1.FormatJSONv2 {
				t.Errorf("Commit() = %+v, %v, want txt and json-v2", stored, err)
			}
		})
	}
	if found := files(t, dir); len(found) != 2 {
		t.Errorf("files %v, want two", found)
	}
}

func TestConfigMapConflicts(t *testing.T) {
	s := newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes)
	s.partBytes = 10_000
	own := func(job Job) map[string]string { return labels(job, Key{Format: v1alpha1.FormatText}, 0) }
	tests := map[string]struct {
		object func(job Job) *corev1.ConfigMap
		names  string
	}{
		"somebody's": {func(Job) *corev1.ConfigMap { return &corev1.ConfigMap{Data: map[string]string{"minutes": "mine"}} }, "created by"},
		"another owner's": {func(Job) *corev1.ConfigMap {
			return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: newUID()},
			}}}
		}, "Deployment web"},
		"a namesake's": {func(job Job) *corev1.ConfigMap {
			job.UID = newUID()
			return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Labels: own(job)}, Immutable: ptr.To(true)}
		}, "TranscriptionJob standup"},
		"one that can be changed": {func(job Job) *corev1.ConfigMap {
			return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Labels: own(job), Annotations: annotations(job, &document{sha256: sum(""), encoding: "identity"}, 1)}}
		}, "can be changed"},
		"own labels, no transcript": {func(job Job) *corev1.ConfigMap {
			return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Labels: own(job)}, Immutable: ptr.To(true)}
		}, "annotations"},
		"forged annotations": {func(job Job) *corev1.ConfigMap {
			return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Labels: own(job), Annotations: annotations(job, &document{sha256: sum(""), encoding: "rot13"}, 1)}, Immutable: ptr.To(true)}
		}, "annotations"},
	}
	for name, tt := range tests {
		for _, at := range []string{"standup-txt", "standup-txt-00", "standup-txt-01"} {
			t.Run(name+" at "+at, func(t *testing.T) {
				job := configMapJob(t)
				object := tt.object(job)
				object.Namespace, object.Name = job.Namespace, at
				if err := env.Client.Create(t.Context(), object); err != nil {
					t.Fatal(err)
				}
				// A foreign part in the middle is in the way of a large transcript only.
				_, err := keep(t, s, job, v1alpha1.FormatText, noise(40_000))
				var conflict *ConflictError
				if at == "standup-txt-01" && strings.Contains(tt.names, "annotations") {
					if err == nil {
						t.Error("a part with the job's labels and another content is taken for its own")
					}
					return
				}
				if !errors.As(err, &conflict) || conflict.Name != at || !strings.Contains(err.Error(), tt.names) {
					t.Errorf("Commit(): %v, want a conflict about %s that says %q", err, at, tt.names)
				}
				if at == "standup-txt-01" {
					return
				}
				if err := s.Check(t.Context(), job); !errors.As(err, &conflict) {
					t.Errorf("Check(): %v, want a conflict", err)
				}
			})
		}
	}
}

func TestConfigMapCap(t *testing.T) {
	job := configMapJob(t)
	s := newConfigMaps(t, env.Client, 60_000)
	var tooLarge *TooLargeError
	if _, err := keep(t, s, job, v1alpha1.FormatText, noise(200_000)); !errors.As(err, &tooLarge) || !strings.Contains(err.Error(), "volume") {
		t.Errorf("want an error that names the way out, got %v", err)
	}

	// Together they are too large.
	batch, err := s.Begin(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	stage(t, batch, v1alpha1.FormatText, noise(60_000))
	if err := batch.Stage(t.Context(), Key{Format: v1alpha1.FormatJSONv2}, strings.NewReader(noise(60_000))); !errors.As(err, &tooLarge) {
		t.Errorf("want an error, got %v", err)
	}
	batch.Discard()

	// What is stored already counts too, except for the format itself.
	job.Recorded = []v1alpha1.StoredTranscript{{Format: v1alpha1.FormatText, Encoding: "gzip", Parts: 1, Bytes: ptr.To(int64(50_000))}}
	if _, err := keep(t, s, job, v1alpha1.FormatJSONv2, noise(60_000)); !errors.As(err, &tooLarge) {
		t.Errorf("want an error, got %v", err)
	}
	if found := names(t, job.Namespace); len(found) != 0 {
		t.Errorf("in spite of the errors, there is %v", found)
	}
	mustKeep(t, s, job, v1alpha1.FormatText, noise(60_000))

	// The numbers at the ends of the names have two digits.
	s = newConfigMaps(t, env.Client, 1<<20)
	s.partBytes = 100
	if _, err := keep(t, s, configMapJob(t), v1alpha1.FormatText, noise(20_000)); !errors.As(err, &tooLarge) {
		t.Errorf("want an error, got %v", err)
	}
}

func TestConfigMapStageOfABrokenBody(t *testing.T) {
	for _, size := range []int{10, 100_000} {
		job := configMapJob(t)
		batch, err := newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes).Begin(t.Context(), job)
		if err != nil {
			t.Fatal(err)
		}
		if err := batch.Stage(t.Context(), Key{Format: v1alpha1.FormatText}, &brokenReader{noise(size)}); !errors.Is(err, errBroken) {
			t.Errorf("Stage() = %v, want the reader's error", err)
		}
		batch.Discard()
		if found := names(t, job.Namespace); len(found) != 0 {
			t.Errorf("of a broken body, %v was stored", found)
		}
	}
}

func TestConfigMapErrors(t *testing.T) {
	group := schema.GroupResource{Resource: "configmaps"}
	terminating := apierrors.NewForbidden(group, "standup-txt", errors.New("being terminated"))
	terminating.ErrStatus.Details.Causes = append(terminating.ErrStatus.Details.Causes, metav1.StatusCause{Type: corev1.NamespaceTerminatingCause})
	var (
		unavailable *UnavailableError
		rejected    *RejectedError
	)
	tests := map[string]struct {
		get, create error
		is          func(error) bool
	}{
		"API server down at get":    {apierrors.NewServiceUnavailable("down"), nil, func(err error) bool { return errors.As(err, &unavailable) }},
		"API server down at create": {nil, context.DeadlineExceeded, func(err error) bool { return errors.As(err, &unavailable) }},
		"too many requests":         {nil, apierrors.NewTooManyRequests("slow down", 1), func(err error) bool { return errors.As(err, &unavailable) }},
		"quota":                     {nil, apierrors.NewForbidden(group, "x", errors.New("exceeded quota")), func(err error) bool { return errors.As(err, &rejected) }},
		"invalid":                   {nil, apierrors.NewInvalid(schema.GroupKind{Kind: "ConfigMap"}, "x", nil), func(err error) bool { return errors.As(err, &rejected) }},
		"namespace terminating":     {nil, terminating, func(err error) bool { return errors.Is(err, ErrGone) }},
		"namespace gone":            {nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "x"), func(err error) bool { return errors.Is(err, ErrGone) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := interceptor.NewClient(env.Client, interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
					if tt.get != nil {
						return tt.get
					}
					return c.Get(ctx, key, obj, opts...)
				},
				Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return tt.create },
			})
			if _, err := keep(t, newConfigMaps(t, c, 1<<20), configMapJob(t), v1alpha1.FormatText, "text"); !tt.is(err) {
				t.Errorf("Commit() = %v (%T)", err, err)
			}
		})
	}
}

// Two replicas that store the same transcript at once store it once; if they have two versions, one of them wins.
func TestConfigMapRace(t *testing.T) {
	for round := range 10 {
		job := configMapJob(t)
		var wg sync.WaitGroup
		results := make([]v1alpha1.StoredTranscript, 4)
		for i := range results {
			wg.Go(func() {
				s := newConfigMaps(t, env.Client, DefaultConfigMapMaxBytes)
				s.partBytes = 10_000
				results[i] = mustKeep(t, s, job, v1alpha1.FormatText, noise(40_000))
			})
		}
		wg.Wait()
		for _, result := range results[1:] {
			if diff := cmp.Diff(results[0], result); diff != "" {
				t.Errorf("round %d (-first +other):\n%s", round, diff)
			}
		}
	}
}
