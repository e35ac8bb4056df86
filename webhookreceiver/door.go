// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/trace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/internal/tracing"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

// door is one of the two ways into the receiver.
type door struct {
	client  client.Client
	keys    notification.KeySource
	store   store.Store
	scratch *store.Scratch
	clock   clock.PassiveClock
	log     logr.Logger
	metrics *metrics
	tracer  *tracing.Tracer
	limits  Limits

	// purpose is what a token must be good for here, source who brings what comes in here.
	purpose notification.Purpose
	source  v1alpha1.NotificationSource
	// internal doors answer questions about stores, and tell what is wrong.
	internal bool
	// room has as many places as requests are taken at once.
	room chan struct{}
	// shares bound how many of them one namespace has.
	shares *shares
	// readers has as many places as documents are read at once. Each door has its own, so that no document which somebody sends keeps
	// the manager's deliveries waiting.
	readers chan struct{}
}

// notice is one notification.
type notice struct {
	target  notification.Target
	source  v1alpha1.NotificationSource
	jobID   string
	outcome v1alpha1.NotificationOutcome
	info    *jobInfo
}

func (n *notice) audioDuration() *metav1.Duration {
	if n.info == nil || n.info.duration == 0 {
		return nil
	}
	return &metav1.Duration{Duration: n.info.duration}
}

// visit is what is logged and counted about a request.
type visit struct {
	started time.Time
	notice  notice
	proven  bool // the token was good
	check   bool // a question about a store
	body    *body
	stored  []v1alpha1.StoredTranscript
	// isFirst means that this is the first notification about the attempt that was recorded; age is how old the job was then.
	isFirst bool
	age     time.Duration
	// document is what the document told that was read; nil if none was.
	document *v1alpha1.DocumentFacts
	// span is the notification's; nil if it has none.
	span trace.Span
}

// recordable is what the document told, if it is to be recorded.
func (v *visit) recordable() *v1alpha1.DocumentFacts {
	if v.document == nil || !isBelieved(v.document, v.notice.source) {
		return nil
	}
	return v.document
}

// ServeHTTP implements http.Handler.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{started: d.clock.Now()}
	connection := http.NewResponseController(w)
	// What is discarded of a body is waited for too, but not for long.
	_ = connection.SetReadDeadline(v.started.Add(d.limits.BodyStall))
	res, err := d.serve(r, connection, v)
	_ = connection.SetWriteDeadline(d.clock.Now().Add(writeTimeout))
	if err == nil && v.proven && !v.check {
		crashpoint.At(crashpoint.Answering)
	}
	d.answer(w, err)
	d.report(v, res, err)
	if err != nil {
		// A connection that is closed while its sender still writes is reset, and the answer may be lost with it. Of a body that has more than
		// what is discarded, MaxBytesReader has the server wait a moment before it closes the connection, whatever the sender asked for.
		_ = connection.Flush()
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxDiscardBytes))
	}
}

// serve does what a request asks for. The order is from the cheap to the expensive: method, limits, route, token, and then the job.
func (d *door) serve(r *http.Request, connection deadliner, v *visit) (result, *refusal) {
	if !d.allows(r.Method) {
		return "", refuse(http.StatusMethodNotAllowed, resultMethod, notification.ReasonBadRequest, errMethod)
	}
	select {
	case d.room <- struct{}{}:
		defer func() { <-d.room }()
		defer d.metrics.enter(d.source)()
	default:
		return "", refuse(http.StatusServiceUnavailable, resultBusy, notification.ReasonBusy, errBusy)
	}
	if err := d.route(r, v); err != nil {
		return "", err
	}
	if err := d.authenticate(r, v); err != nil {
		return "", err
	}
	leave, ok := d.shares.take(v.notice.target.Namespace)
	if !ok {
		return "", refuse(http.StatusServiceUnavailable, resultBusy, notification.ReasonBusy, errBusy)
	}
	defer leave()
	var (
		res result
		err error
	)
	if v.check {
		res, err = d.checkStore(r.Context(), v.notice.target)
	} else {
		v.body = newBody(r.Body, connection, d.clock, d.limits)
		res, err = d.notify(d.begin(r.Context(), v), r, v)
	}
	switch {
	case errors.Is(err, errJobGone), errors.Is(err, store.ErrGone):
		return resultGone, nil
	case err != nil:
		return "", asRefusal(err)
	}
	return res, nil
}

func (d *door) allows(method string) bool {
	return method == http.MethodPost || method == http.MethodPut || (d.internal && method == http.MethodGet)
}

func (d *door) allowed() string {
	if d.internal {
		return "GET, POST, PUT"
	}
	return "POST, PUT"
}

// route finds out which job attempt the request is about, and what it asks for. A path that needs unescaping is not one of ours.
func (d *door) route(r *http.Request, v *visit) *refusal {
	parse := notification.ParsePath
	if v.check = r.Method == http.MethodGet; v.check {
		parse = notification.ParseStorePath
	}
	target, err := parse(r.URL.EscapedPath())
	if err != nil {
		return refuse(http.StatusNotFound, resultNotFound, notification.ReasonBadRequest, errNotFound)
	}
	v.notice.target, v.notice.source = target, d.source
	return nil
}

// authenticate wants exactly one header with the token of this very attempt, for this door.
func (d *door) authenticate(r *http.Request, v *visit) *refusal {
	unauthorized := refuse(http.StatusUnauthorized, resultUnauthorized, notification.ReasonUnauthorized, errUnauthorized)
	values := r.Header.Values("Authorization")
	if len(values) != 1 {
		return unauthorized
	}
	token, err := notification.ParseAuthorization(values[0])
	if err != nil {
		return unauthorized
	}
	keyring, err := d.keys.Keyring()
	if err != nil {
		return refuse(http.StatusServiceUnavailable, resultInternal, notification.ReasonInternal, fmt.Errorf("there are no notification keys: %w", err))
	}
	if !keyring.Verify(d.purpose, v.notice.target, token) {
		return unauthorized
	}
	v.proven = true
	return nil
}

// notify processes a notification: look at the job, take in the body, store, record.
func (d *door) notify(ctx context.Context, r *http.Request, v *visit) (result, error) {
	job, err := d.lookup(ctx, v.notice.target)
	if err != nil {
		return "", err
	}
	n := &v.notice
	if n.jobID, n.outcome, err = parseQuery(r.URL.RawQuery); err != nil {
		return "", malformedRequest(err)
	}
	standing := judge(job, n.target.Attempt, n.jobID)
	if !standing.counts {
		return standing.why, nil
	}
	crashpoint.At(crashpoint.Welcomed)
	in := &intake{wanted: notification.Formats(&job.Spec)}
	if n.outcome == v1alpha1.OutcomeSuccess {
		if in.batch, err = d.store.Begin(ctx, storeJob(job, n)); err != nil {
			return "", err
		}
		defer in.batch.Discard()
		if needsDocument(job, n) {
			in.document = &document{spec: &job.Spec, source: n.source, scratch: d.scratch}
			defer in.document.close()
		}
	}
	if err := d.takeIn(ctx, r, v, in); err != nil {
		return "", err
	}
	crashpoint.At(crashpoint.BodyRead)
	if err := in.info.check(n); err != nil {
		return "", err
	}
	n.info = in.info
	return d.commit(ctx, job, v, in)
}

func (d *door) lookup(ctx context.Context, target notification.Target) (_ *v1alpha1.TranscriptionJob, err error) {
	ctx, span := d.tracer.Child(ctx, spanLookup)
	defer func() { endSpan(span, err) }()
	ctx, cancel := context.WithTimeout(ctx, d.limits.LookupTimeout)
	defer cancel()
	return liveJob(ctx, d.client, target)
}

// takeIn reads the body. Of a job that failed nothing is stored, and what a body may hold then is documented in two ways that contradict
// each other; so it is looked into for the facts about the job only, and a body that cannot be read does not matter.
func (d *door) takeIn(ctx context.Context, r *http.Request, v *visit, in *intake) error {
	ctx, span := d.tracer.Child(ctx, spanReadBody)
	err := v.body.admit(r.ContentLength)
	if err == nil {
		err = in.read(ctx, r.Header, v.body)
	}
	endSpan(span, err)
	var ofBody *bodyError
	if in.batch == nil && errors.As(err, &ofBody) {
		d.log.V(1).Info("The body of a notification that is no success cannot be read", "cause", ofBody.Error())
		return nil
	}
	return err
}

// commit makes what is made of the document, stores what was staged and records it. It is not given up when the sender goes: it has sent everything.
func (d *door) commit(ctx context.Context, job *v1alpha1.TranscriptionJob, v *visit, in *intake) (result, error) {
	if in.document.received() {
		leave, err := d.takeTurn(ctx, v)
		if err != nil {
			return "", err
		}
		defer leave() // when it is recorded, so that who sends the same waits for that
		if err := d.readDocument(ctx, v, in); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.limits.CommitTimeout)
	defer cancel()
	if err := d.storeStaged(ctx, v, in); err != nil {
		return "", err
	}
	crashpoint.At(crashpoint.Stored)
	ctx, span := d.tracer.Child(ctx, spanRecord)
	res, err := d.record(ctx, job, v)
	endSpan(span, err)
	crashpoint.At(crashpoint.NotificationRecorded)
	return res, err
}

// storeStaged makes durable what was staged.
func (d *door) storeStaged(ctx context.Context, v *visit, in *intake) (err error) {
	if len(in.staged) == 0 {
		return nil
	}
	ctx, span := d.tracer.Child(ctx, spanStore)
	defer func() { endSpan(span, err) }()
	v.stored, err = in.batch.Commit(ctx)
	return err
}

// takeTurn waits until it is a document's turn to be read, as long as the sender does: to read takes a processor, and those that read at
// once on too few of them would all be late.
func (d *door) takeTurn(ctx context.Context, v *visit) (leave func(), err error) {
	// The deadline of the body's last bytes would end the wait, since the connection is read on to learn whether the sender has gone.
	_ = v.body.connection.SetReadDeadline(time.Time{})
	select {
	case d.readers <- struct{}{}:
		return func() { <-d.readers }, nil
	case <-ctx.Done():
		return nil, &store.UnavailableError{Store: "the webhook receiver", Err: errors.New("the sender has gone before it was the transcript's turn to be read")}
	}
}

// readDocument makes what is made of the document.
func (d *door) readDocument(ctx context.Context, v *visit, in *intake) (err error) {
	ctx, span := d.tracer.Child(ctx, spanReadDocument)
	defer func() { endSpan(span, err) }()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.limits.CommitTimeout+in.document.readingTime())
	defer cancel()
	// The sender may have come again while it waited.
	job, err := d.lookup(ctx, v.notice.target)
	if err != nil || !needsDocument(job, &v.notice) {
		return err
	}
	facts, err := in.document.stage(ctx, in)
	if err != nil {
		return err
	}
	crashpoint.At(crashpoint.DocumentRead)
	facts.JobID, facts.Attempt = v.notice.jobID, v.notice.target.Attempt
	v.document = facts
	return nil
}

// checkStore answers the manager's question whether the job's transcripts could be stored.
func (d *door) checkStore(ctx context.Context, target notification.Target) (result, error) {
	job, err := d.lookup(ctx, target)
	if errors.Is(err, errJobGone) {
		return "", refuse(http.StatusGone, resultGone, notification.ReasonJobGone,
			fmt.Errorf("the TranscriptionJob %s/%s with the UID %s is not there", target.Namespace, target.Name, target.UID))
	}
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, d.limits.CommitTimeout)
	defer cancel()
	if err := d.store.Check(ctx, storeJob(job, &notice{target: target})); err != nil {
		return "", err
	}
	return resultAvailable, nil
}

func storeJob(job *v1alpha1.TranscriptionJob, n *notice) store.Job {
	return store.Job{
		Namespace: job.Namespace, Name: job.Name, UID: job.UID, Attempt: n.target.Attempt, ID: n.jobID,
		Transcripts: job.Spec.Transcripts,
		Wanted:      wanted(job),
		Recorded:    recordedTranscripts(&job.Status, n),
	}
}

// wanted are the transcripts that the job asks for.
func wanted(job *v1alpha1.TranscriptionJob) []store.Key {
	var keys []store.Key
	for _, transcript := range notification.Transcripts(&job.Spec) {
		keys = append(keys, store.Key(transcript))
	}
	return keys
}

// parseQuery reads the ID and the outcome that the provider has appended: exactly one of each, since of two nobody knows which is meant.
// Other parameters do not matter. Errors do not repeat the query.
func parseQuery(query string) (jobID string, outcome v1alpha1.NotificationOutcome, err error) {
	if len(query) > maxQueryBytes {
		return "", "", errors.New("the query is too long")
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", "", errors.New("the query is malformed")
	}
	ids, statuses := values[notification.ParameterID], values[notification.ParameterStatus]
	if len(ids) != 1 || len(statuses) != 1 {
		return "", "", errors.New("the query does not have exactly one id and one status")
	}
	if !notification.ValidJobID(ids[0]) {
		return "", "", errors.New("the id in the query cannot be the ID of a job")
	}
	outcome, _ = notification.ParseOutcome(statuses[0])
	if outcome == "" {
		return "", "", errors.New("the status in the query is not a word")
	}
	return ids[0], outcome, nil
}

// answer writes the response. The public door tells only what the status code tells, and of trouble with a store only that there is
// some: whose it is, is the manager's to know. That what was sent is too large is told, since it will be the next time as well.
func (d *door) answer(w http.ResponseWriter, refused *refusal) {
	if refused == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	status := refused.status
	if !d.internal && (status == http.StatusConflict || status == http.StatusUnprocessableEntity) {
		status = http.StatusServiceUnavailable
	}
	header := w.Header()
	// What is left of the body may be more than it is worth to wait for.
	header.Set("Connection", "close")
	header.Set("X-Content-Type-Options", "nosniff")
	switch status {
	case http.StatusMethodNotAllowed:
		header.Set("Allow", d.allowed())
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		header.Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	content := []byte(http.StatusText(status) + "\n")
	header.Set("Content-Type", "text/plain; charset=utf-8")
	if d.internal {
		// Texts can always be encoded.
		content, _ = json.Marshal(notification.Problem{Reason: refused.reason, Message: refused.Error()})
		header.Set("Content-Type", notification.ProblemMediaType)
	}
	// Without a length the answer would end when the handler does, which first reads what is left of the body; and a proxy would wait for it.
	header.Set("Content-Length", strconv.Itoa(len(content)))
	w.WriteHeader(status)
	if _, err := w.Write(content); err != nil { //nolint:gosec // it is no HTML, and nobody may take it for that
		d.log.V(1).Info("The answer was not taken", "cause", err.Error()) // the other side has gone
	}
}

// report counts a request and logs it, in one line. Requests without a good token are logged only verbosely, or anybody could fill
// the log. No token, query or body is ever logged.
func (d *door) report(v *visit, res result, refused *refusal) {
	if refused != nil {
		res = refused.result
	}
	d.metrics.observe(d.source, v, res, d.clock.Since(v.started))
	v.end(res, refused)
	log := d.log.WithValues("result", res, "source", d.source)
	if !v.proven {
		log.V(1).Info("Request refused")
		return
	}
	log = log.WithValues("namespace", v.notice.target.Namespace, "name", v.notice.target.Name, "uid", v.notice.target.UID,
		"attempt", v.notice.target.Attempt, "duration", d.clock.Since(v.started).String())
	if d.tracer.On() {
		log = log.WithValues("traceID", tracing.TraceID(v.notice.target.UID).String())
	}
	message := "Notification processed"
	switch {
	case v.check:
		message = "Store checked"
	case v.body != nil: // otherwise there was no room to look at it
		log = log.WithValues("remoteJob", v.notice.jobID, "outcome", v.notice.outcome, "bodyBytes", v.body.n, "stored", names(v.stored))
	}
	if v.document != nil {
		log = log.WithValues("document", documentResult(v.document), "featureErrors", len(v.document.FeatureErrors))
	}
	switch {
	case refused == nil:
		log.Info(message)
	case v.isTrouble(refused):
		log.Error(refused, message)
	default:
		log.Info(message, "cause", refused.Error())
	}
}

// isTrouble reports whether whoever runs the receiver should hear of a refusal. That a job's transcripts could not be stored is the answer to a
// question, which is asked again and again; the job's owner reads it there.
func (v *visit) isTrouble(refused *refusal) bool {
	answered := v.check && refused.status < http.StatusInternalServerError
	return !answered && refused.wantsAttention()
}

// names lists transcripts for the log.
func names(stored []v1alpha1.StoredTranscript) string {
	all := make([]string, 0, len(stored))
	for _, transcript := range stored {
		all = append(all, store.Key{Format: transcript.Format, Language: transcript.Language}.String())
	}
	return strings.Join(all, ", ")
}
