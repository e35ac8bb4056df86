// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"strconv"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// Labels of a ConfigMap with a transcript. By them `kubectl get configmaps -l` finds it.
const (
	// LabelManagedBy is Kubernetes' recommended label; its value is ManagedBy.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "transcription-operator"
	// LabelJobName is the name of the TranscriptionJob.
	LabelJobName = "transcription-operator.io/job-name"
	// LabelJobUID is the UID of the TranscriptionJob. It says whose the ConfigMap is.
	LabelJobUID = "transcription-operator.io/job-uid"
	// LabelFormat is the transcript's format: json-v2, txt or srt.
	LabelFormat = "transcription-operator.io/format"
	// LabelAttempt is the attempt that the transcript belongs to, from 1.
	LabelAttempt = "transcription-operator.io/attempt"
	// LabelPart is the number of the part, from 00.
	LabelPart = "transcription-operator.io/part"
)

// Annotations of a ConfigMap with a transcript.
const (
	// AnnotationSHA256 is the SHA-256 of the whole plain transcript, in hexadecimal.
	AnnotationSHA256 = "transcription-operator.io/sha256"
	// AnnotationBytes is the size of the whole plain transcript, in bytes.
	AnnotationBytes = "transcription-operator.io/bytes"
	// AnnotationEncoding is identity or gzip.
	AnnotationEncoding = "transcription-operator.io/encoding"
	// AnnotationParts is how many ConfigMaps the transcript is split over.
	AnnotationParts = "transcription-operator.io/parts"
	// AnnotationJobID is the provider's ID of the job.
	AnnotationJobID = "transcription-operator.io/job-id"
)

const (
	// DefaultConfigMapMaxBytes is the most that one job stores in ConfigMaps unless said otherwise, in bytes as stored. An
	// hour of speech needs some 0.4 MiB as gzipped JSON, and etcd's default quota is 2 GiB for the whole cluster.
	DefaultConfigMapMaxBytes = 8 << 20

	// partBytes is the most that one ConfigMap holds. The API server admits 1 MiB of data, and etcd 1.5 MiB a request.
	partBytes = 900 << 10

	// maxParts is how many parts the numbers at the end of the names can count.
	maxParts = 100
)

// sha256Pattern is the pattern of v1alpha1.StoredTranscript.SHA256.
var sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// ConfigMaps keeps transcripts in immutable ConfigMaps in the job's namespace. It needs the rights to get and to create
// ConfigMaps, and no others.
type ConfigMaps struct {
	client    client.Client
	maxBytes  int64
	partBytes int
}

var _ Store = (*ConfigMaps)(nil)

// NewConfigMaps returns a store that keeps at most maxBytes (as stored) of one job. The client must not have a cache.
func NewConfigMaps(c client.Client, maxBytes int64) *ConfigMaps {
	return &ConfigMaps{client: c, maxBytes: maxBytes, partBytes: partBytes}
}

// Check implements Store: the names of the ConfigMaps must be free, or taken by the job's own.
func (s *ConfigMaps) Check(ctx context.Context, job Job) error {
	for _, format := range job.Transcripts.Formats {
		if _, err := s.find(ctx, job, format); err != nil {
			return err
		}
	}
	return nil
}

// Begin implements Store.
func (s *ConfigMaps) Begin(_ context.Context, job Job) (Batch, error) {
	return &configMapBatch{store: s, job: job}, nil
}

type configMapBatch struct {
	store  *ConfigMaps
	job    Job
	staged []*document
}

// Stage implements Batch. It holds the transcript in memory as it will be stored, and stops at the cap.
func (b *configMapBatch) Stage(_ context.Context, format v1alpha1.TranscriptFormat, r io.Reader) error {
	doc, err := encode(format, r, b.store.maxBytes-b.used(format))
	if errors.Is(err, errOverLimit) {
		return &TooLargeError{Limit: b.store.maxBytes}
	}
	if err != nil {
		return err
	}
	if b.store.parts(doc) > maxParts {
		return &TooLargeError{Limit: int64(maxParts * b.store.partBytes)}
	}
	b.staged = append(b.staged, doc)
	return nil
}

// used is what the job's transcripts in other formats take, in bytes as stored.
func (b *configMapBatch) used(format v1alpha1.TranscriptFormat) int64 {
	sizes := map[v1alpha1.TranscriptFormat]int64{}
	for _, recorded := range b.job.Recorded {
		// The size of the stored bytes is not recorded; neither of these is below it by more than gzip's header.
		sizes[recorded.Format] = min(ptr.Deref(recorded.Bytes, 0), int64(recorded.Parts)*int64(b.store.partBytes))
	}
	for _, doc := range b.staged {
		sizes[doc.format] = int64(len(doc.stored))
	}
	delete(sizes, format)
	var sum int64
	for size := range maps.Values(sizes) {
		sum += size
	}
	return sum
}

// Discard implements Batch.
func (b *configMapBatch) Discard() { b.staged = nil }

// Commit implements Batch.
func (b *configMapBatch) Commit(ctx context.Context) ([]v1alpha1.StoredTranscript, error) {
	var all []v1alpha1.StoredTranscript
	for _, doc := range b.staged {
		stored, err := b.store.put(ctx, b.job, doc)
		if err != nil {
			return nil, err
		}
		all = append(all, *stored)
	}
	b.staged = nil
	return all, nil
}

// put stores a transcript, unless one is stored already, and returns what is stored.
func (s *ConfigMaps) put(ctx context.Context, job Job, doc *document) (*v1alpha1.StoredTranscript, error) {
	found, err := s.find(ctx, job, doc.format)
	if err != nil || found != nil {
		return found, err
	}
	objects := s.objects(job, doc)
	// The first part comes last: where it is, all the others are.
	for _, object := range append(objects[1:len(objects):len(objects)], objects[0]) {
		if err := s.ensure(ctx, job, object); err != nil {
			return nil, err
		}
	}
	return describe(job, doc.format, objects[0], baseName(job, doc.format))
}

// find returns the transcript that is stored completely, or nil. A ConfigMap of the name that is not the job's is a conflict.
func (s *ConfigMaps) find(ctx context.Context, job Job, format v1alpha1.TranscriptFormat) (*v1alpha1.StoredTranscript, error) {
	base := baseName(job, format)
	for _, name := range []string{base, partName(base, 0)} {
		first, err := s.getOwn(ctx, job, name)
		if err != nil {
			return nil, err
		}
		if first == nil {
			continue
		}
		stored, err := describe(job, format, first, base)
		if err != nil {
			return nil, err
		}
		complete, err := s.complete(ctx, job, first, stored)
		if err != nil {
			return nil, err
		}
		if complete {
			return stored, nil
		}
	}
	return nil, nil //nolint:nilnil // nothing is stored, which is no error
}

// complete says whether the parts after the first are all there. They were when the first was written; but a person may have
// deleted some since.
func (s *ConfigMaps) complete(ctx context.Context, job Job, first *corev1.ConfigMap, stored *v1alpha1.StoredTranscript) (bool, error) {
	for i := 1; i < int(stored.Parts); i++ {
		part, err := s.getOwn(ctx, job, partName(stored.ConfigMapRef.Name, i))
		if err != nil {
			return false, err
		}
		if part == nil || !sameSet(first, part) {
			return false, nil
		}
	}
	return true, nil
}

// ensure creates the ConfigMap, or finds that the very same one is there.
func (s *ConfigMaps) ensure(ctx context.Context, job Job, object *corev1.ConfigMap) error {
	err := s.client.Create(ctx, object.DeepCopy())
	switch {
	case err == nil:
		return nil
	case !apierrors.IsAlreadyExists(err):
		return createError(object, err)
	}
	existing, err := s.getOwn(ctx, job, object.Name)
	switch {
	case err != nil:
		return err
	case existing == nil:
		return &UnavailableError{Store: "ConfigMap " + object.Namespace + "/" + object.Name, Err: errors.New("it was deleted at this moment")}
	case !sameSet(existing, object) || !sameContent(existing, object):
		// Another replica writes another version of the transcript at this moment, or one that was interrupted did.
		return &UnavailableError{
			Store: "ConfigMap " + object.Namespace + "/" + object.Name,
			Err: fmt.Errorf("it is a part of another version of the transcript, which is not complete; "+
				"if this goes on, delete the ConfigMaps with the label %s=%s that begin with this name", LabelJobUID, job.UID),
		}
	}
	return nil
}

// getOwn gets a ConfigMap of the job's. It returns nil if there is none, and a *ConflictError if it is another's.
func (s *ConfigMaps) getOwn(ctx context.Context, job Job, name string) (*corev1.ConfigMap, error) {
	var found corev1.ConfigMap
	err := s.client.Get(ctx, client.ObjectKey{Namespace: job.Namespace, Name: name}, &found)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // it is not there, which is no error
	case err != nil:
		return nil, &UnavailableError{Store: "the API server", Err: fmt.Errorf("cannot get the ConfigMap %s/%s: %w", job.Namespace, name, err)}
	case !isOwn(job, &found):
		return nil, &ConflictError{Namespace: job.Namespace, Name: name, Belongs: belongs(&found)}
	}
	return &found, nil
}

// isOwn says whether a ConfigMap is a transcript of this attempt. One that can be changed is not: nobody would know what is in
// it tomorrow.
func isOwn(job Job, found *corev1.ConfigMap) bool {
	return found.Labels[LabelJobUID] == string(job.UID) &&
		found.Labels[LabelAttempt] == strconv.Itoa(int(job.Attempt)) &&
		ptr.Deref(found.Immutable, false)
}

// belongs says in words whose ConfigMap it is.
func belongs(found *corev1.ConfigMap) string {
	if name := found.Labels[LabelJobName]; found.Labels[LabelManagedBy] == ManagedBy && name != "" {
		return fmt.Sprintf("it is of attempt %.8s of the TranscriptionJob %s with the UID %.36s, or can be changed",
			found.Labels[LabelAttempt], name, found.Labels[LabelJobUID])
	}
	for _, owner := range found.OwnerReferences {
		return fmt.Sprintf("it belongs to %s %s", owner.Kind, owner.Name)
	}
	for _, entry := range found.ManagedFields {
		return "it was created by " + entry.Manager
	}
	return "it does not say whose it is"
}

// createError tells what the API server's refusal means.
func createError(object *corev1.ConfigMap, err error) error {
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), apierrors.IsNotFound(err):
		return ErrGone
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsRequestEntityTooLargeError(err):
		return &RejectedError{Namespace: object.Namespace, Name: object.Name, Err: err}
	default:
		return &UnavailableError{Store: "the API server", Err: fmt.Errorf("cannot create the ConfigMap %s/%s: %w", object.Namespace, object.Name, err)}
	}
}

// sameSet says whether two ConfigMaps are parts of the same transcript, split the same way.
func sameSet(a, b *corev1.ConfigMap) bool {
	for _, key := range []string{AnnotationSHA256, AnnotationEncoding, AnnotationParts} {
		if a.Annotations[key] != b.Annotations[key] {
			return false
		}
	}
	return true
}

// sameContent compares the stored bytes: another version of the compressor may make others of the same transcript, and a
// mixture of both could not be read.
func sameContent(a, b *corev1.ConfigMap) bool {
	return maps.Equal(a.Data, b.Data) && maps.EqualFunc(a.BinaryData, b.BinaryData, func(x, y []byte) bool { return string(x) == string(y) })
}

// describe returns what the status records about a transcript, from the annotations of its first part.
func describe(job Job, format v1alpha1.TranscriptFormat, first *corev1.ConfigMap, base string) (*v1alpha1.StoredTranscript, error) {
	size, errSize := strconv.ParseInt(first.Annotations[AnnotationBytes], 10, 64)
	parts, errParts := strconv.ParseInt(first.Annotations[AnnotationParts], 10, 32)
	encoding := v1alpha1.Encoding(first.Annotations[AnnotationEncoding])
	if errSize != nil || errParts != nil || size < 0 || parts < 1 || parts > maxParts ||
		!isEncoding(encoding) || !sha256Pattern.MatchString(first.Annotations[AnnotationSHA256]) || !holds(first, key(format, encoding)) {
		return nil, &ConflictError{Namespace: first.Namespace, Name: first.Name, Belongs: "its annotations and data are not those of a transcript"}
	}
	return &v1alpha1.StoredTranscript{
		Format:  format,
		Attempt: job.Attempt,
		// The job that the notification is about, even if a surplus job of the same attempt was stored first: either one
		// is a whole transcript of the same media.
		JobID:        job.ID,
		ConfigMapRef: &v1alpha1.TranscriptConfigMapReference{Name: base, Key: key(format, encoding)},
		Encoding:     encoding,
		Parts:        int32(parts),
		Bytes:        &size,
		SHA256:       first.Annotations[AnnotationSHA256],
	}, nil
}

func isEncoding(e v1alpha1.Encoding) bool {
	return e == v1alpha1.EncodingIdentity || e == v1alpha1.EncodingGzip
}

func holds(object *corev1.ConfigMap, key string) bool {
	_, data := object.Data[key]
	_, binary := object.BinaryData[key]
	return data || binary
}

// objects returns the ConfigMaps that a transcript is stored in, in their order.
func (s *ConfigMaps) objects(job Job, doc *document) []*corev1.ConfigMap {
	parts := s.parts(doc)
	base := baseName(job, doc.format)
	objects := make([]*corev1.ConfigMap, 0, parts)
	for i := range parts {
		name := base
		if parts > 1 {
			name = partName(base, i)
		}
		object := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{
				Namespace:       job.Namespace,
				Name:            name,
				Labels:          labels(job, doc.format, i),
				Annotations:     annotations(job, doc, parts),
				OwnerReferences: ownerReferences(job),
			},
			Immutable: ptr.To(true),
		}
		content := doc.stored[i*s.partBytes : min((i+1)*s.partBytes, len(doc.stored))]
		if doc.encoding == v1alpha1.EncodingIdentity && parts == 1 && utf8.Valid(content) {
			object.Data = map[string]string{key(doc.format, doc.encoding): string(content)}
		} else {
			object.BinaryData = map[string][]byte{key(doc.format, doc.encoding): content}
		}
		objects = append(objects, object)
	}
	return objects
}

// parts is how many ConfigMaps a document needs. An empty one needs one.
func (s *ConfigMaps) parts(doc *document) int {
	return max(1, (len(doc.stored)+s.partBytes-1)/s.partBytes)
}

func labels(job Job, format v1alpha1.TranscriptFormat, part int) map[string]string {
	return map[string]string{
		LabelManagedBy: ManagedBy,
		LabelJobName:   job.Name,
		LabelJobUID:    string(job.UID),
		LabelFormat:    string(format),
		LabelAttempt:   strconv.Itoa(int(job.Attempt)),
		LabelPart:      fmt.Sprintf("%02d", part),
	}
}

func annotations(job Job, doc *document, parts int) map[string]string {
	return map[string]string{
		AnnotationSHA256:   doc.sha256,
		AnnotationBytes:    strconv.FormatInt(doc.bytes, 10),
		AnnotationEncoding: string(doc.encoding),
		AnnotationParts:    strconv.Itoa(parts),
		AnnotationJobID:    job.ID,
	}
}

// ownerReferences has the ConfigMap deleted with the job, unless it is to be retained. It neither names a controller nor
// blocks the owner's deletion: the latter would need the right to change the job's finalizers.
func ownerReferences(job Job) []metav1.OwnerReference {
	spec := job.Transcripts.ConfigMap
	if spec != nil && ptr.Deref(spec.RetentionPolicy, v1alpha1.RetentionDelete) == v1alpha1.RetentionRetain {
		return nil
	}
	return []metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(),
		Kind:       "TranscriptionJob",
		Name:       job.Name,
		UID:        job.UID,
	}}
}

// baseName is the name of a transcript's ConfigMap, and what the names of its parts begin with.
func baseName(job Job, format v1alpha1.TranscriptFormat) string {
	base := job.Name
	if spec := job.Transcripts.ConfigMap; spec != nil && spec.Name != nil {
		base = *spec.Name
	}
	if job.Attempt > 1 {
		// With a piece of the UID, or the second attempt of "call" would take the name of the job "call-2".
		base = fmt.Sprintf("%s-%.8s-%d", base, job.UID, job.Attempt)
	}
	return base + "-" + string(format)
}

func partName(base string, part int) string { return fmt.Sprintf("%s-%02d", base, part) }

// key is the key of a transcript in the ConfigMap's data or binaryData.
func key(format v1alpha1.TranscriptFormat, encoding v1alpha1.Encoding) string {
	if encoding == v1alpha1.EncodingGzip {
		return fileName(format) + ".gz"
	}
	return fileName(format)
}
