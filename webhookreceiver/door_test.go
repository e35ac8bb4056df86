// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package webhookreceiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/transcript/store"
)

func TestNotificationOfSuccess(t *testing.T) {
	r := start(t)
	for name, where := range map[string]func(*v1alpha1.TranscriptionJob){"ConfigMaps": func(*v1alpha1.TranscriptionJob) {}, "volume": onVolume} {
		for _, internal := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s internal=%v", name, internal), func(t *testing.T) {
				job := newJob(t, where)
				withClaim(t, job, 1)
				q := multi(t, everything(t, job)...)
				q.internal = internal
				if got := r.send(t, job, q); got.status != http.StatusNoContent || got.body != "" {
					t.Fatalf("answer %+v", got)
				}
				after := read(t, job)
				source := v1alpha1.SourceCallback
				if internal {
					source = v1alpha1.SourceDelivery
				}
				want := &v1alpha1.Notification{
					JobID: jobID, Attempt: 1, Outcome: "success", Source: source, AudioDuration: &metav1.Duration{Duration: 15 * time.Second},
					ReceivedAt: after.Status.Notification.ReceivedAt,
				}
				if diff := cmp.Diff(want, after.Status.Notification); diff != "" || want.ReceivedAt.IsZero() {
					t.Errorf("notification (-want +got):\n%s", diff)
				}
				if got := stored(after); len(got) != 3 || got["txt"].JobID != jobID || *got["txt"].Bytes != int64(len(text)) {
					t.Errorf("transcripts %+v", got)
				}
				wantContents := map[string]string{"standup-txt": text, "standup-json-v2": jsonDoc, "standup-srt": srt}
				found := contents(t, r, job)
				if name == "volume" {
					wantContents = map[string]string{"transcript.txt": text, "transcript.json": jsonDoc, "transcript.srt": srt}
				}
				for file, content := range wantContents {
					if found[file] != content {
						t.Errorf("%s holds %q, want %q", file, found[file], content)
					}
				}

				// A duplicate changes nothing, whoever brings it.
				for _, internal := range []bool{false, true} {
					q := multi(t, everything(t, job)...)
					q.internal = internal
					if got := r.send(t, job, q); got.status != http.StatusNoContent {
						t.Errorf("a duplicate: %+v", got)
					}
				}
				if got := read(t, job); got.ResourceVersion != after.ResourceVersion {
					t.Errorf("a duplicate changed the job: %+v", got.Status)
				}
			})
		}
	}
}

// Every form of a body that the provider may send.
func TestBodyForms(t *testing.T) {
	r := start(t)
	all := []v1alpha1.TranscriptFormat{"txt", "json-v2", "srt"}
	one := func(contentType, body string) func(*v1alpha1.TranscriptionJob) request {
		return func(*v1alpha1.TranscriptionJob) request {
			return request{contentType: contentType, body: strings.NewReader(body)}
		}
	}
	parts := func(items ...item) func(*v1alpha1.TranscriptionJob) request {
		return func(*v1alpha1.TranscriptionJob) request { return multi(t, items...) }
	}
	tests := map[string]struct {
		formats []v1alpha1.TranscriptFormat
		send    func(*v1alpha1.TranscriptionJob) request
		want    map[string]string
	}{
		"empty":                      {all, func(*v1alpha1.TranscriptionJob) request { return request{} }, nil},
		"empty with content type":    {all, one("application/json", ""), nil},
		"empty multipart":            {all, one("multipart/form-data; boundary=b", ""), nil},
		"raw json-v2":                {all, one("application/json", jsonDoc), map[string]string{"json-v2": jsonDoc}},
		"raw json-v2, vendor's type": {all, one("application/vnd.speechmatics.v2+json", jsonDoc), map[string]string{"json-v2": jsonDoc}},
		"raw txt":                    {all, one("text/plain; charset=utf-8", text), map[string]string{"txt": text}},
		"raw srt":                    {all, one("text/plain", srt), map[string]string{"srt": srt}},
		"raw without a content type": {all, one("", srt), map[string]string{"srt": srt}},
		"raw octets":                 {all, one("application/octet-stream", "RIFF\x00\x00\x00\x00WAVEfmt "), nil},
		"raw format not asked for":   {[]v1alpha1.TranscriptFormat{"txt"}, one("application/json", jsonDoc), nil},
		"raw jobinfo": {all, func(job *v1alpha1.TranscriptionJob) request {
			return request{contentType: "application/json", body: strings.NewReader(info(t, targetOf(job, 1)))}
		}, nil},
		"legacy data_file, JSON": {all, parts(item{"data_file", "", "application/json", jsonDoc}), map[string]string{"json-v2": jsonDoc}},
		"legacy data_file, text": {all, parts(item{"data_file", "example.txt", "", text}), map[string]string{"txt": text}},
		"a part called transcript": {all, parts(item{"transcript", "", "", jsonDoc}, item{"transcript", "", "", text}),
			map[string]string{"json-v2": jsonDoc, "txt": text}},
		"parts without names": {all, parts(item{"", "", "", jsonDoc}, item{"", "x.srt", "", srt}, item{"", "", "text/plain", text}),
			map[string]string{"json-v2": jsonDoc, "srt": srt, "txt": text}},
		"jobinfo last": {all, func(job *v1alpha1.TranscriptionJob) request {
			return multi(t, item{"transcript.txt", "", "", text}, item{"jobinfo", "", "", info(t, targetOf(job, 1))})
		}, map[string]string{"txt": text}},
		"jobinfo without name": {all, func(job *v1alpha1.TranscriptionJob) request {
			return multi(t, item{"", "", "application/json", info(t, targetOf(job, 1))}, item{"transcript.txt", "", "", text})
		}, map[string]string{"txt": text}},
		"jobinfo below job": {all, func(job *v1alpha1.TranscriptionJob) request {
			return multi(t, item{"jobinfo", "", "", `{"job":` + info(t, targetOf(job, 1)) + `}`}, item{"transcript.txt", "", "", text})
		}, map[string]string{"txt": text}},
		"empty txt":             {all, parts(item{"transcript.txt", "", "", ""}), map[string]string{"txt": ""}},
		"empty json-v2":         {all, parts(item{"transcript.json-v2", "", "", ""}), nil},
		"HTML as json-v2":       {all, parts(item{"transcript.json-v2", "", "", "<html>"}), nil},
		"media":                 {all, parts(item{"data", "a.wav", "audio/wav", "RIFF"}, item{"transcript.txt", "", "", text}), map[string]string{"txt": text}},
		"format not asked for":  {[]v1alpha1.TranscriptFormat{"srt"}, parts(item{"transcript.txt", "", "", text}, item{"transcript.srt", "", "", srt}), map[string]string{"srt": srt}},
		"the same format twice": {all, parts(item{"transcript.txt", "", "", text}, item{"transcript.txt", "", "", "other"}), map[string]string{"txt": text}},
		"two documents":         {all, parts(item{"transcript.json-v2", "", "", jsonDoc}, item{"transcript.json-v2", "", "", spoken}), map[string]string{"json-v2": jsonDoc}},
		"no parts":              {all, parts(), nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			job := newJob(t, withFormats(tt.formats...))
			if got := r.send(t, job, tt.send(job)); got.status != http.StatusNoContent {
				t.Fatalf("answer %+v", got)
			}
			after := read(t, job)
			if after.Status.Notification == nil || after.Status.Notification.Outcome != v1alpha1.OutcomeSuccess {
				t.Errorf("notification %+v, want one of success", after.Status.Notification)
			}
			found, recorded := contents(t, r, job), stored(after)
			if len(found) != len(tt.want) || len(recorded) != len(tt.want) {
				t.Errorf("stored %v, recorded %v, want %v", found, recorded, tt.want)
			}
			for format, content := range tt.want {
				if got, ok := found["standup-"+format]; !ok || got != content {
					t.Errorf("%s is stored as %q, want %q", format, got, content)
				}
			}
		})
	}
}

// PUT is as good as POST, and the other key as good as the first.
func TestMethodAndKeys(t *testing.T) {
	r := start(t)
	job := newJob(t)
	q := multi(t, everything(t, job)...)
	q.method = http.MethodPut
	other, err := notification.NewKeyring(bytes.Repeat([]byte("o"), notification.MinKeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	q.token = other.Token(notification.PurposeCallback, targetOf(job, 1))
	if got := r.send(t, job, q); got.status != http.StatusNoContent {
		t.Errorf("answer %+v", got)
	}
	if got := stored(read(t, job)); len(got) != 3 {
		t.Errorf("stored %v", got)
	}
}

// Each of these is refused, stores nothing, changes nothing, and tells nothing at the public door.
func TestRefusals(t *testing.T) {
	r := start(t)
	job, other := newJob(t), newJob(t)
	withClaim(t, job, 1)
	target := targetOf(job, 1)
	token := func(purpose notification.Purpose, target notification.Target) string {
		return r.keyring.Token(purpose, target)
	}
	foreign := target
	foreign.UID = "00000000-0000-4000-8000-000000000001"

	tests := map[string]struct {
		q    request
		want int
	}{
		"no token":                             {request{token: "-"}, 401},
		"a wrong token":                        {request{token: strings.Repeat("A", 43)}, 401},
		"an empty token":                       {request{token: "-", header: http.Header{"Authorization": {"Bearer "}}}, 401},
		"another scheme":                       {request{token: "-", header: http.Header{"Authorization": {"Basic " + token("callback", target)}}}, 401},
		"two tokens":                           {request{token: "-", header: http.Header{"Authorization": {"Bearer " + token("callback", target), "Bearer x"}}}, 401},
		"another job's token":                  {request{token: token("callback", targetOf(other, 1))}, 401},
		"another attempt's token":              {request{token: token("callback", targetOf(job, 2))}, 401},
		"a delivery token at the public door":  {request{token: token("deliver", target)}, 401},
		"a callback token at the internal one": {request{token: token("callback", target), internal: true}, 401},
		"GET":                                  {request{method: http.MethodGet}, 405},
		"DELETE":                               {request{method: http.MethodDelete}, 405},
		"HEAD":                                 {request{method: http.MethodHead}, 405},
		"OPTIONS":                              {request{method: http.MethodOptions}, 405},
		"an unknown method":                    {request{method: "BREW"}, 405},
		"DELETE at the internal door":          {request{method: http.MethodDelete, internal: true}, 405},
		"the question at the public door":      {request{method: http.MethodGet, path: target.StorePath(), token: token("deliver", target)}, 405},
		"POST of the question":                 {request{path: target.StorePath(), internal: true}, 404},
		"the root":                             {request{path: "/"}, 404},
		"an unknown path":                      {request{path: "/metrics"}, 404},
		"a path with dots":                     {request{path: "/v1/notifications/../notifications/x/y/z/1"}, 404},
		"an escaped path":                      {request{path: strings.Replace(target.Path(), "standup", "%73tandup", 1)}, 404},
		"a path with more":                     {request{path: target.Path() + "/x"}, 404},
		"a slash at the end":                   {request{path: target.Path() + "/"}, 404},
		"no query":                             {request{query: "?"}, 400},
		"no id":                                {request{query: "?status=success"}, 400},
		"no status":                            {request{query: "?id=" + jobID}, 400},
		"two ids":                              {request{query: "?id=a&id=b&status=success"}, 400},
		"two statuses":                         {request{query: "?id=a&status=success&status=error"}, 400},
		"an id that climbs":                    {request{query: "?id=../../etc/passwd&status=success"}, 400},
		"an id that climbs, escaped":           {request{query: "?id=%2e%2e%2fx&status=success"}, 400},
		"an id with a line break":              {request{query: "?id=a%0Ab&status=success"}, 400},
		"an endless id":                        {request{query: "?id=" + strings.Repeat("a", 257) + "&status=success"}, 400},
		"an endless query":                     {request{query: "?id=a&status=success&x=" + strings.Repeat("a", 4096)}, 400},
		"a status that is no word":             {request{query: "?id=" + jobID + "&status=%3Cscript%3E"}, 400},
		"an endless status":                    {request{query: "?id=" + jobID + "&status=" + strings.Repeat("a", 33)}, 400},
		"a malformed query":                    {request{query: "?id=a&status=%zz"}, 400},
		"multipart without a boundary":         {request{contentType: "multipart/form-data", body: strings.NewReader("x")}, 400},
		"multipart that is none":               {request{contentType: "multipart/form-data; boundary=b", body: strings.NewReader("hello")}, 400},
		"multipart without an end":             {request{contentType: "multipart/form-data; boundary=b", body: strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"transcript.txt\"\r\n\r\nGood")}, 400},
		"multipart with broken headers":        {request{contentType: "multipart/form-data; boundary=b", body: strings.NewReader("--b\r\nno header\r\n\r\nGood\r\n--b--")}, 400},
		"an endless preamble":                  {request{contentType: "multipart/form-data; boundary=b", body: strings.NewReader(strings.Repeat("x\r\n", 50_000) + "--b--")}, 413},
		"many part headers":                    {request{contentType: "multipart/form-data; boundary=b", body: strings.NewReader("--b\r\n" + strings.Repeat("X: "+strings.Repeat("y", 100)+"\r\n", 2_000))}, 413},
		"multipart that ends after a part":     {request{contentType: "multipart/form-data; boundary=b", body: strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"transcript.txt\"\r\n\r\nGood\r\n--b\r\n")}, 400},
		"multipart that ends in a boundary":    {request{contentType: "multipart/form-data; boundary=b", body: strings.NewReader("--b\r\nContent-Disposition: form-data; name=\"transcript.txt\"\r\n\r\nGood\r\n--b")}, 400},
		"endless part headers":                 {request{contentType: "multipart/form-data; boundary=b", body: strings.NewReader("--b\r\n" + strings.Repeat("X: y\r\n", 20_000))}, 413},
		"too many parts":                       {multi(t, make([]item, maxParts+1)...), 413},
		"compressed":                           {request{header: http.Header{"Content-Encoding": {"gzip"}}, body: strings.NewReader("x")}, 415},
		"jobinfo that is no JSON":              {multi(t, item{"jobinfo", "", "", "{"}, item{"transcript.txt", "", "", text}), 400},
		"jobinfo that is huge":                 {multi(t, item{"transcript.txt", "", "", text}, item{"jobinfo", "", "", `{"x":"` + strings.Repeat("a", maxJobInfoBytes) + `"}`}), 413},
		"jobinfo of another ID":                {multi(t, item{"transcript.txt", "", "", text}, item{"jobinfo", "", "", strings.Replace(info(t, target), jobID, "other", 1)}), 403},
		"jobinfo of another object":            {multi(t, item{"transcript.txt", "", "", text}, item{"jobinfo", "", "", info(t, foreign)}), 403},
		"jobinfo of another attempt":           {multi(t, item{"transcript.txt", "", "", text}, item{"jobinfo", "", "", info(t, targetOf(job, 2))}), 403},
		"jobinfo without a reference":          {multi(t, item{"transcript.txt", "", "", text}, item{"jobinfo", "", "", `{"id":"` + jobID + `"}`}), 403},
		"jobinfo of another object, on error": {func() request {
			q := multi(t, item{"jobinfo", "", "", info(t, foreign)})
			q.query = "?id=" + jobID + "&status=error"
			return q
		}(), 403},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			unchanged(t, r, job, func() {
				got := r.send(t, job, tt.q)
				if got.status != tt.want {
					t.Errorf("status %d, want %d: %s", got.status, tt.want, got.body)
				}
				if tt.q.internal {
					if got.problem(t).Message == "" {
						t.Error("the internal door does not say what is wrong")
					}
				} else if want := http.StatusText(tt.want) + "\n"; got.body != want && tt.q.method != http.MethodHead {
					t.Errorf("the public door tells %q, want %q", got.body, want)
				}
			})
		})
	}
	if allow := r.send(t, job, request{method: http.MethodGet}).header.Get("Allow"); allow != "POST, PUT" {
		t.Errorf("Allow: %q", allow)
	}
}

func TestHugeHeaderIsRefused(t *testing.T) {
	r := start(t)
	job := newJob(t)
	unchanged(t, r, job, func() {
		conn := raw(t, r, job, "X-Large: "+strings.Repeat("a", 2*maxHeaderBytes), "")
		// The server closes the connection, so that the end of the answer may be lost.
		if answer, _ := io.ReadAll(conn); !bytes.HasPrefix(answer, []byte("HTTP/1.1 431 ")) {
			t.Errorf("answer %q, want 431", answer)
		}
	})
}

// These are answered with success, since nobody could do better by coming again, and change nothing.
func TestNotificationsThatDoNotCount(t *testing.T) {
	r := start(t)
	for name, tt := range map[string]struct {
		prepare func(*testing.T, *v1alpha1.TranscriptionJob)
		attempt int32
	}{
		"an earlier attempt than the claim's":  {func(t *testing.T, job *v1alpha1.TranscriptionJob) { t.Helper(); withClaim(t, job, 2) }, 1},
		"an earlier attempt than the record's": {func(t *testing.T, job *v1alpha1.TranscriptionJob) { t.Helper(); record(t, job, 2, "other") }, 1},
		"an attempt far ahead":                 {func(t *testing.T, job *v1alpha1.TranscriptionJob) { t.Helper(); withClaim(t, job, 1) }, 3},
		"another job than the recorded one":    {func(t *testing.T, job *v1alpha1.TranscriptionJob) { t.Helper(); record(t, job, 1, "other") }, 1},
		"a namesake":                           {func(_ *testing.T, job *v1alpha1.TranscriptionJob) { job.UID = "00000000-0000-4000-8000-000000000001" }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			job := newJob(t)
			tt.prepare(t, job)
			unchanged(t, r, job, func() {
				target := targetOf(job, tt.attempt)
				q := multi(t, item{"transcript.txt", "", "", text})
				if got, err := r.try(t.Context(), target, q); err != nil || got.status != http.StatusNoContent {
					t.Errorf("answer %+v, %v", got, err)
				}
			})
		})
	}
	t.Run("a job that is not there", func(t *testing.T) {
		target := notification.Target{Namespace: "default", Name: "missing", UID: "00000000-0000-4000-8000-000000000001", Attempt: 1}
		if got, err := r.try(t.Context(), target, multi(t, item{"transcript.txt", "", "", text})); err != nil || got.status != http.StatusNoContent {
			t.Errorf("answer %+v, %v", got, err)
		}
	})
}

// A namespace that is being deleted admits no ConfigMap: the transcript is nobody's any more.
func TestTerminatingNamespace(t *testing.T) {
	r := start(t)
	job := newJob(t)
	if err := env.Client.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: job.Namespace}}); err != nil {
		t.Fatal(err)
	}
	unchanged(t, r, job, func() {
		if got := r.send(t, job, multi(t, everything(t, job)...)); got.status != http.StatusNoContent {
			t.Errorf("answer %+v", got)
		}
	})
}

// What is no success is recorded, stores nothing, and its body does not matter.
func TestOtherOutcomes(t *testing.T) {
	r := start(t)
	for _, outcome := range []string{"error", "fetch_error", "trim_error", "a_new_word"} {
		for name, q := range map[string]func(*v1alpha1.TranscriptionJob) request{
			"empty":       func(*v1alpha1.TranscriptionJob) request { return request{} },
			"jobinfo":     func(job *v1alpha1.TranscriptionJob) request { return multi(t, everything(t, job)[0]) },
			"transcripts": func(job *v1alpha1.TranscriptionJob) request { return multi(t, everything(t, job)...) },
			"broken": func(*v1alpha1.TranscriptionJob) request {
				return request{contentType: "multipart/form-data; boundary=b", body: strings.NewReader("--b\r\n")}
			},
		} {
			t.Run(outcome+" "+name, func(t *testing.T) {
				job := newJob(t)
				q := q(job)
				q.query = "?id=" + jobID + "&status=" + outcome
				if got := r.send(t, job, q); got.status != http.StatusNoContent {
					t.Errorf("answer %+v", got)
				}
				after := read(t, job)
				if n := after.Status.Notification; n == nil || string(n.Outcome) != outcome || n.JobID != jobID || (name == "jobinfo" && n.AudioDuration == nil) {
					t.Errorf("notification %+v", n)
				}
				if found := contents(t, r, job); len(found) != 0 || len(after.Status.Transcripts) != 0 {
					t.Errorf("stored %v, recorded %v", found, after.Status.Transcripts)
				}
			})
		}
	}
}

// After `kubectl replace` with the original manifest the claim is gone; what is under way still counts.
func TestReplacedManifest(t *testing.T) {
	for name, prepare := range map[string]func(*testing.T, *v1alpha1.TranscriptionJob){
		"before the record": func(*testing.T, *v1alpha1.TranscriptionJob) {},
		"after the record":  func(t *testing.T, job *v1alpha1.TranscriptionJob) { t.Helper(); record(t, job, 1, jobID) },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t)
			job := newJob(t)
			withClaim(t, job, 1)
			prepare(t, job)
			replaced := read(t, job)
			replaced.Annotations = nil
			if err := env.Client.Update(t.Context(), replaced); err != nil {
				t.Fatal(err)
			}
			if got := r.send(t, job, multi(t, everything(t, job)...)); got.status != http.StatusNoContent {
				t.Errorf("answer %+v", got)
			}
			if got := stored(read(t, job)); len(got) != 3 {
				t.Errorf("stored %v", got)
			}
		})
	}
}

// The job of an earlier claim of the same attempt announces itself: it was submitted, and the claim was renewed because nobody
// knew that it had arrived.
func TestJobOfAnEarlierClaim(t *testing.T) {
	r := start(t)
	job := newJob(t)
	withClaim(t, job, 1)
	older := strings.ReplaceAll(info(t, targetOf(job, 1)), nonce, strings.Repeat("f", 32))
	if got := r.send(t, job, multi(t, item{"jobinfo", "", "", older}, item{"transcript.txt", "", "", text})); got.status != http.StatusNoContent {
		t.Errorf("answer %+v", got)
	}
}

func TestEntriesOfOthersAreDropped(t *testing.T) {
	r := start(t)
	job := newJob(t)
	send := func(target notification.Target, id, content string) {
		t.Helper()
		q := multi(t, item{"transcript." + content, "", "", map[string]string{"txt": text, "srt": srt}[content]})
		q.query = "?id=" + id + "&status=success"
		if got, err := r.try(t.Context(), target, q); err != nil || got.status != http.StatusNoContent {
			t.Fatalf("answer %+v, %v", got, err)
		}
	}
	send(targetOf(job, 1), "first", "txt")
	send(targetOf(job, 1), "second", "srt")
	if got := stored(read(t, job)); len(got) != 1 || got["srt"].JobID != "second" {
		t.Errorf("after another job's notification: %v", got)
	}
	// What the first job stored is a whole transcript of the same media: it is kept, and counts for the second.
	send(targetOf(job, 1), "second", "txt")
	if got := stored(read(t, job)); len(got) != 2 || got["txt"].JobID != "second" {
		t.Errorf("after the second job's transcript: %v", got)
	}
	withClaim(t, job, 2)
	send(targetOf(job, 2), "third", "txt")
	got := stored(read(t, job))
	if len(got) != 1 || got["txt"].Attempt != 2 || !strings.HasPrefix(got["txt"].ConfigMapRef.Name, "standup-") || !strings.HasSuffix(got["txt"].ConfigMapRef.Name, "-2-txt") {
		t.Errorf("after the next attempt: %+v", got)
	}
}

// slowReader gives its text, and then nothing until it is closed.
type slowReader struct {
	text   io.Reader
	closed <-chan struct{}
}

func (s *slowReader) Read(p []byte) (int, error) {
	if n, err := s.text.Read(p); n > 0 || !errors.Is(err, io.EOF) {
		return n, err
	}
	<-s.closed
	return 0, io.ErrUnexpectedEOF
}

// raw opens a connection and writes the beginning of a request to it.
func raw(t *testing.T, r *rig, job *v1alpha1.TranscriptionJob, headers, body string) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(r.public, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	target := targetOf(job, 1)
	_, err = fmt.Fprintf(conn, "POST %s?id=%s&status=success HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n%s",
		target.Path(), jobID, r.keyring.Token(notification.PurposeCallback, target), headers, body)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// beginning is a body that stages one transcript and begins another.
const beginning = "--b\r\nContent-Disposition: form-data; name=\"transcript.txt\"\r\n\r\nGood morning\r\n" +
	"--b\r\nContent-Disposition: form-data; name=\"transcript.srt\"\r\n\r\n1\r\n"

func TestBodyThatIsCutOffStoresNothing(t *testing.T) {
	r := start(t)
	for name, where := range map[string]func(*v1alpha1.TranscriptionJob){"ConfigMaps": func(*v1alpha1.TranscriptionJob) {}, "volume": onVolume} {
		for how, headers := range map[string]string{
			"length":  "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n",
			"chunked": "Content-Type: multipart/form-data; boundary=b\r\nTransfer-Encoding: chunked\r\n",
			"raw":     "Content-Type: text/plain\r\nContent-Length: 100000\r\n",
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				job := newJob(t, where)
				unchanged(t, r, job, func() {
					body := beginning
					if how == "chunked" {
						body = fmt.Sprintf("%x\r\n%s\r\n", len(body), body)
					}
					conn := raw(t, r, job, headers, body)
					if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
						t.Fatal(err)
					}
					answer, _ := io.ReadAll(conn)
					if !bytes.HasPrefix(answer, []byte("HTTP/1.1 400 ")) {
						t.Errorf("answer %q", answer)
					}
				})
			})
		}
	}
}

func TestSlowBodyIsBrokenOff(t *testing.T) {
	for name, change := range map[string]func(*Limits){
		"nothing comes": func(l *Limits) { l.BodyStall = 200 * time.Millisecond },
		"too slow":      func(l *Limits) { l.BodyGrace, l.BodyBytesPerSecond = 200*time.Millisecond, 1<<30 },
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(o *Options) { change(&o.Limits) })
			job := newJob(t)
			unchanged(t, r, job, func() {
				conn := raw(t, r, job, "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n", beginning)
				answer, _ := io.ReadAll(conn)
				if !bytes.HasPrefix(answer, []byte("HTTP/1.1 408 ")) {
					t.Errorf("answer %q", answer)
				}
			})
		})
	}
}

func TestBodyOverTheLimit(t *testing.T) {
	r := start(t, func(o *Options) { o.Limits.BodyBytes = 10_000 })
	job := newJob(t, onVolume)
	unchanged(t, r, job, func() {
		q := multi(t, item{"transcript.txt", "", "", strings.Repeat("a", 20_000)})
		q.internal = true
		got := r.send(t, job, q)
		if problem := got.problem(t); got.status != http.StatusRequestEntityTooLarge || problem.Reason != notification.ReasonTranscriptTooLarge || !strings.Contains(problem.Message, "--body-max-bytes") {
			t.Errorf("answer %+v", got)
		}
	})
}

// Slow bodies at the public door do not keep the manager out.
func TestDoorsHaveTheirOwnRoom(t *testing.T) {
	r := start(t, func(o *Options) { o.Limits.PublicRequests = 1 })
	job := newJob(t)
	closed := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = r.try(ctx, targetOf(job, 1), request{contentType: "text/plain", body: &slowReader{strings.NewReader("Good"), closed}})
	}()
	busy := func() bool { return len(r.server.public.room) == 1 }
	for !busy() {
		if err := ctx.Err(); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.send(t, job, request{}); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("a second request at the public door: %+v", got)
	}
	q := multi(t, everything(t, job)...)
	q.internal = true
	if got := r.send(t, job, q); got.status != http.StatusNoContent {
		t.Errorf("a delivery: %+v", got)
	}
	cancel()
	close(closed)
	<-ended
}

func TestStoreTrouble(t *testing.T) {
	group := corev1.Resource("configmaps")
	down := apierrors.NewServiceUnavailable("down")
	failing := func(create error) func(*Options) {
		return func(o *Options) {
			c := interceptor.NewClient(env.Client, interceptor.Funcs{
				Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return create },
			})
			stores := o.Store.(store.Stores)
			stores.ConfigMaps = store.NewConfigMaps(c, newScratch(t), 1<<20)
			o.Store = stores
		}
	}
	none := func(*Options) {}
	tests := map[string]struct {
		options func(*Options)
		job     func(*v1alpha1.TranscriptionJob)
		spoil   func(*testing.T, *rig, *v1alpha1.TranscriptionJob)
		status  int
		reason  notification.Reason
		says    string
	}{
		"API server down": {failing(down), nil, nil, 503, notification.ReasonStoreUnavailable, "standup-txt"},
		"quota":           {failing(apierrors.NewForbidden(group, "x", errors.New("exceeded quota"))), nil, nil, 422, notification.ReasonStoreForbidden, "quota"},
		"somebody's ConfigMap": {none, nil, func(t *testing.T, _ *rig, job *v1alpha1.TranscriptionJob) {
			t.Helper()
			object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, Name: "standup-txt"}}
			if err := env.Client.Create(t.Context(), object); err != nil {
				t.Fatal(err)
			}
		}, 409, notification.ReasonConfigMapConflict, "standup-txt"},
		"claim not mounted": {none, func(job *v1alpha1.TranscriptionJob) {
			onVolume(job)
			job.Spec.Transcripts.PersistentVolumeClaim.ClaimName = "other"
		}, nil, 422, notification.ReasonVolumeNotMounted, `"other"`},
		"volume broken": {none, onVolume, func(t *testing.T, r *rig, job *v1alpha1.TranscriptionJob) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(r.volume, job.Namespace), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, 503, notification.ReasonStoreUnavailable, claim},
		"too large for ConfigMaps": {func(o *Options) {
			stores := o.Store.(store.Stores)
			stores.ConfigMaps = store.NewConfigMaps(env.Client, newScratch(t), 10)
			o.Store = stores
		}, nil, nil, 413, notification.ReasonTranscriptTooLarge, "volume"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := start(t, tt.options)
			change := func(*v1alpha1.TranscriptionJob) {}
			if tt.job != nil {
				change = tt.job
			}
			job := newJob(t, change)
			if tt.spoil != nil {
				tt.spoil(t, r, job)
			}
			unchanged(t, r, job, func() {
				q := multi(t, everything(t, job)...)
				q.internal = true
				got := r.send(t, job, q)
				if problem := got.problem(t); got.status != tt.status || problem.Reason != tt.reason || !strings.Contains(problem.Message, tt.says) {
					t.Errorf("internal answer %+v", got)
				}
				got = r.send(t, job, multi(t, everything(t, job)...))
				want := http.StatusServiceUnavailable
				if tt.status == http.StatusRequestEntityTooLarge {
					want = tt.status // to send it again is no use
				}
				again := got.header.Get("Retry-After") != ""
				if got.status != want || got.body != http.StatusText(want)+"\n" || again != (want == http.StatusServiceUnavailable) {
					t.Errorf("public answer %+v, want %d", got, want)
				}
			})
		})
	}
}

// The manager asks before it spends money.
func TestStoreCheck(t *testing.T) {
	r := start(t)
	ask := func(job *v1alpha1.TranscriptionJob) answer {
		t.Helper()
		return r.send(t, job, request{method: http.MethodGet, path: targetOf(job, 1).StorePath(), query: "?", internal: true})
	}
	unmounted := func(job *v1alpha1.TranscriptionJob) {
		onVolume(job)
		job.Spec.Transcripts.PersistentVolumeClaim.ClaimName = "other"
	}
	for name, change := range map[string]func(*v1alpha1.TranscriptionJob){"ConfigMaps": func(*v1alpha1.TranscriptionJob) {}, "volume": onVolume} {
		if got := ask(newJob(t, change)); got.status != http.StatusNoContent {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := ask(newJob(t, unmounted)); got.status != http.StatusUnprocessableEntity || got.problem(t).Reason != notification.ReasonVolumeNotMounted {
		t.Errorf("a claim that is not mounted: %+v", got)
	}
	job := newJob(t)
	if err := env.Client.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: job.Namespace, Name: "standup-srt"}}); err != nil {
		t.Fatal(err)
	}
	if got := ask(job); got.status != http.StatusConflict || got.problem(t).Reason != notification.ReasonConfigMapConflict {
		t.Errorf("somebody's ConfigMap: %+v", got)
	}
	job.UID = "00000000-0000-4000-8000-000000000001"
	if got := ask(job); got.status != http.StatusGone || got.problem(t).Reason != notification.ReasonJobGone {
		t.Errorf("a job that is gone: %+v", got)
	}
	job = newJob(t, func(job *v1alpha1.TranscriptionJob) {
		job.Spec.Transcripts.ConfigMap = &v1alpha1.ConfigMapStore{Name: ptr.To("minutes")}
	})
	q := multi(t, everything(t, job)...)
	if got := r.send(t, job, q); got.status != http.StatusNoContent {
		t.Fatalf("answer %+v", got)
	}
	if got := ask(job); got.status != http.StatusNoContent {
		t.Errorf("the job's own ConfigMaps: %+v", got)
	}
	// Of a job that waits for its owner nobody else need hear every few seconds.
	if log := r.log.String(); strings.Contains(log, `"error"=`) || !strings.Contains(log, `"result"="not_mounted"`) {
		t.Errorf("a check that was answered is logged as an error, or not at all:\n%s", log)
	}
}

func TestAPIServerDown(t *testing.T) {
	down := apierrors.NewServiceUnavailable("down")
	for name, funcs := range map[string]interceptor.Funcs{
		"at the look": {Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return down
		}},
		"at the record": {SubResource: func(c client.WithWatch, name string) client.SubResourceClient {
			return &brokenStatus{SubResourceClient: c.SubResource(name), err: down}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(o *Options) { o.Client = interceptor.NewClient(env.Client, funcs) })
			job := newJob(t)
			before := read(t, job)
			if got := r.send(t, job, multi(t, everything(t, job)...)); got.status != http.StatusServiceUnavailable || got.body != "Service Unavailable\n" {
				t.Errorf("answer %+v", got)
			}
			if after := read(t, job); after.ResourceVersion != before.ResourceVersion {
				t.Errorf("the job was changed: %+v", after.Status)
			}
			// When it is there again, the sender's next attempt completes everything.
			again := start(t)
			if got := again.send(t, job, multi(t, everything(t, job)...)); got.status != http.StatusNoContent {
				t.Errorf("answer %+v", got)
			}
			if got := stored(read(t, job)); len(got) != 3 {
				t.Errorf("stored %v", got)
			}
		})
	}
}
