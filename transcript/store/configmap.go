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
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
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
	// LabelFormat is the transcript's format: json-v2, txt, srt or vtt.
	LabelFormat = "transcription-operator.io/format"
	// LabelLanguage is the language that the transcript was translated to. The transcript in the language that was spoken does
	// not have it.
	LabelLanguage = "transcription-operator.io/language"
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

	// partBytes is the most that one ConfigMap holds. The API server admits 1 MiB of data, and etcd 1.5 MiB a request. It is a
	// multiple of 3, so that the base64 of each part but the last ends without padding, and all of them together are the base64 of
	// the whole: that is how `kubectl -o jsonpath` and `base64 -d` read it back.
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
	scratch   *Scratch
	maxBytes  int64
	partBytes int
}

var _ Store = (*ConfigMaps)(nil)

// NewConfigMaps returns a store that keeps at most maxBytes (as stored) of one job. What is staged waits in the scratch folder, and one
// part at a time is in memory. The client must not have a cache.
func NewConfigMaps(c client.Client, scratch *Scratch, maxBytes int64) *ConfigMaps {
	return &ConfigMaps{client: c, scratch: scratch, maxBytes: maxBytes, partBytes: partBytes}
}

// Check implements Store: the names of the ConfigMaps must be free, or taken by the job's own.
func (s *ConfigMaps) Check(ctx context.Context, job Job) error {
	for _, key := range job.Wanted {
		if _, err := s.find(ctx, job, key); err != nil {
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

// Stage implements Batch. It compresses the transcript into a scratch file, and stops at the cap.
func (b *configMapBatch) Stage(_ context.Context, key Key, r io.Reader) error {
	if err := key.check(); err != nil {
		return err
	}
	doc, err := encode(b.store.scratch, key, r, b.store.maxBytes-b.used(key))
	if errors.Is(err, errOverLimit) {
		return &TooLargeError{Limit: b.store.maxBytes}
	}
	if err != nil {
		return err
	}
	if b.store.parts(doc) > maxParts {
		doc.close()
		return &TooLargeError{Limit: int64(maxParts * b.store.partBytes)}
	}
	b.staged = append(b.staged, doc)
	return nil
}

// used is what the job's other transcripts take, in bytes as stored.
func (b *configMapBatch) used(key Key) int64 {
	sizes := map[Key]int64{}
	for _, recorded := range b.job.Recorded {
		// The size of the stored bytes is not recorded; neither of these is below it by more than gzip's header.
		size := min(ptr.Deref(recorded.Bytes, 0), int64(recorded.Parts)*int64(b.store.partBytes))
		sizes[Key{Format: recorded.Format, Language: recorded.Language}] = size
	}
	for _, doc := range b.staged {
		sizes[doc.key] = doc.size
	}
	delete(sizes, key)
	var sum int64
	for size := range maps.Values(sizes) {
		sum += size
	}
	return sum
}

// Discard implements Batch.
func (b *configMapBatch) Discard() {
	for _, doc := range b.staged {
		doc.close()
	}
	b.staged = nil
}

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
	b.Discard()
	return all, nil
}

// put stores a transcript, unless one is stored already, and returns what is stored.
func (s *ConfigMaps) put(ctx context.Context, job Job, doc *document) (*v1alpha1.StoredTranscript, error) {
	found, err := s.find(ctx, job, doc.key)
	if err != nil || found != nil {
		return found, err
	}
	// The first part comes last: where it is, all the others are.
	for part := 1; part < s.parts(doc); part++ {
		if _, err := s.putPart(ctx, job, doc, part); err != nil {
			return nil, err
		}
	}
	first, err := s.putPart(ctx, job, doc, 0)
	if err != nil {
		return nil, err
	}
	return describe(job, doc.key, first, baseName(job, doc.key))
}

// putPart stores one part and returns it.
func (s *ConfigMaps) putPart(ctx context.Context, job Job, doc *document, part int) (*corev1.ConfigMap, error) {
	object, err := s.object(job, doc, part)
	if err != nil {
		return nil, err
	}
	err = s.ensure(ctx, job, doc.key, object)
	crashpoint.At(crashpoint.PartStored)
	return object, err
}

// find returns the transcript that is stored completely, or nil. A ConfigMap of the name that is not the job's is a conflict.
func (s *ConfigMaps) find(ctx context.Context, job Job, key Key) (*v1alpha1.StoredTranscript, error) {
	base := baseName(job, key)
	for _, name := range []string{base, partName(base, 0)} {
		first, err := s.getOwn(ctx, job, key, name)
		if err != nil {
			return nil, err
		}
		if first == nil {
			continue
		}
		stored, err := describe(job, key, first, base)
		if err != nil {
			return nil, err
		}
		complete, err := s.complete(ctx, job, key, first, stored)
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
func (s *ConfigMaps) complete(ctx context.Context, job Job, key Key, first *corev1.ConfigMap, stored *v1alpha1.StoredTranscript) (bool, error) {
	for i := 1; i < int(stored.Parts); i++ {
		part, err := s.getOwn(ctx, job, key, partName(stored.ConfigMapRef.Name, i))
		if err != nil {
			return false, err
		}
		if part == nil || !sameSet(first, part) {
			return false, nil
		}
	}
	return true, nil
}

// ensure creates the ConfigMap, or finds that the very same one is there. The object is the API server's afterwards: a copy of it
// would double the memory.
func (s *ConfigMaps) ensure(ctx context.Context, job Job, key Key, object *corev1.ConfigMap) error {
	err := s.client.Create(ctx, object)
	switch {
	case err == nil:
		return nil
	case !apierrors.IsAlreadyExists(err):
		return createError(object, err)
	}
	existing, err := s.getOwn(ctx, job, key, object.Name)
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
func (s *ConfigMaps) getOwn(ctx context.Context, job Job, key Key, name string) (*corev1.ConfigMap, error) {
	var found corev1.ConfigMap
	err := s.client.Get(ctx, client.ObjectKey{Namespace: job.Namespace, Name: name}, &found)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // it is not there, which is no error
	case err != nil:
		return nil, &UnavailableError{Store: "the API server", Err: fmt.Errorf("cannot get the ConfigMap %s/%s: %w", job.Namespace, name, err)}
	case !isOwn(job, key, &found):
		return nil, &ConflictError{Namespace: job.Namespace, Name: name, Belongs: belongs(job, &found)}
	}
	return &found, nil
}

// isOwn says whether a ConfigMap is this transcript of this attempt. One that can be changed is not: nobody would know what is in
// it tomorrow.
func isOwn(job Job, key Key, found *corev1.ConfigMap) bool {
	return isOfAttempt(job, found) && keyOf(found) == key && ptr.Deref(found.Immutable, false)
}

func isOfAttempt(job Job, found *corev1.ConfigMap) bool {
	return found.Labels[LabelJobUID] == string(job.UID) && found.Labels[LabelAttempt] == strconv.Itoa(int(job.Attempt))
}

// keyOf says which transcript a ConfigMap holds, by its labels.
func keyOf(found *corev1.ConfigMap) Key {
	return Key{Format: v1alpha1.TranscriptFormat(found.Labels[LabelFormat]), Language: found.Labels[LabelLanguage]}
}

// belongs says in words whose ConfigMap it is.
func belongs(job Job, found *corev1.ConfigMap) string {
	if isOfAttempt(job, found) && ptr.Deref(found.Immutable, false) {
		// Names are in lower case and have no underscores, so that zh_TW and zh-tw meet.
		return fmt.Sprintf("it is this job's %s", keyOf(found))
	}
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
func describe(job Job, key Key, first *corev1.ConfigMap, base string) (*v1alpha1.StoredTranscript, error) {
	size, errSize := strconv.ParseInt(first.Annotations[AnnotationBytes], 10, 64)
	parts, errParts := strconv.ParseInt(first.Annotations[AnnotationParts], 10, 32)
	encoding := v1alpha1.Encoding(first.Annotations[AnnotationEncoding])
	if errSize != nil || errParts != nil || size < 0 || parts < 1 || parts > maxParts ||
		!isEncoding(encoding) || !sha256Pattern.MatchString(first.Annotations[AnnotationSHA256]) || !holds(first, dataKey(key, encoding)) {
		return nil, &ConflictError{Namespace: first.Namespace, Name: first.Name, Belongs: "its annotations and data are not those of a transcript"}
	}
	return &v1alpha1.StoredTranscript{
		Format:   key.Format,
		Language: key.Language,
		Attempt:  job.Attempt,
		// The job that the notification is about, even if a surplus job of the same attempt was stored first: either one
		// is a whole transcript of the same media.
		JobID:        job.ID,
		ConfigMapRef: &v1alpha1.TranscriptConfigMapReference{Name: base, Key: dataKey(key, encoding)},
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

// object returns the ConfigMap that a part of a transcript is stored in.
func (s *ConfigMaps) object(job Job, doc *document, part int) (*corev1.ConfigMap, error) {
	parts := s.parts(doc)
	name := baseName(job, doc.key)
	if parts > 1 {
		name = partName(name, part)
	}
	object := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       job.Namespace,
			Name:            name,
			Labels:          labels(job, doc.key, part),
			Annotations:     annotations(job, doc, parts),
			OwnerReferences: ownerReferences(job),
		},
		Immutable: ptr.To(true),
	}
	from := int64(part) * int64(s.partBytes)
	content := make([]byte, min(int64(s.partBytes), doc.size-from))
	if _, err := io.ReadFull(io.NewSectionReader(doc.stored, from, int64(len(content))), content); err != nil {
		return nil, err
	}
	if doc.encoding == v1alpha1.EncodingIdentity && parts == 1 && utf8.Valid(content) {
		object.Data = map[string]string{dataKey(doc.key, doc.encoding): string(content)}
	} else {
		object.BinaryData = map[string][]byte{dataKey(doc.key, doc.encoding): content}
	}
	return object, nil
}

// parts is how many ConfigMaps a document needs. An empty one needs one.
func (s *ConfigMaps) parts(doc *document) int {
	partBytes := int64(s.partBytes)
	return int(max(1, (doc.size+partBytes-1)/partBytes))
}

func labels(job Job, key Key, part int) map[string]string {
	all := map[string]string{
		LabelManagedBy: ManagedBy,
		LabelJobName:   job.Name,
		LabelJobUID:    string(job.UID),
		LabelFormat:    string(key.Format),
		LabelAttempt:   strconv.Itoa(int(job.Attempt)),
		LabelPart:      fmt.Sprintf("%02d", part),
	}
	if key.Language != "" {
		all[LabelLanguage] = key.Language
	}
	return all
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
func baseName(job Job, key Key) string {
	base := job.Name
	if spec := job.Transcripts.ConfigMap; spec != nil && spec.Name != nil {
		base = *spec.Name
	}
	if job.Attempt > 1 {
		// With a piece of the UID, or the second attempt of "call" would take the name of the job "call-2".
		base = fmt.Sprintf("%s-%.8s-%d", base, job.UID, job.Attempt)
	}
	base += "-" + string(key.Format)
	if key.Language != "" {
		base += "-" + strings.ToLower(strings.ReplaceAll(key.Language, "_", "-"))
	}
	return base
}

func partName(base string, part int) string { return fmt.Sprintf("%s-%02d", base, part) }

// dataKey is the key of a transcript in the ConfigMap's data or binaryData.
func dataKey(key Key, encoding v1alpha1.Encoding) string {
	if encoding == v1alpha1.EncodingGzip {
		return fileName(key) + ".gz"
	}
	return fileName(key)
}
