// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package speechmatics

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestErrorBodies(t *testing.T) {
	long := strings.Repeat("ü", 2000)
	tests := []struct {
		name, contentType, body string
		status                  int
		want                    Error // its Code, Reason and Detail
	}{
		{
			name: "the API's", contentType: "application/json", status: 400,
			body: `{"code":400,"error":"Job rejected","detail":"Job config JSON is invalid. Error: Language(s) [zz] are not supported"}`,
			want: Error{Code: 400, Reason: "Job rejected", Detail: "Job config JSON is invalid. Error: Language(s) [zz] are not supported"},
		},
		{
			name: "without a detail, vendor type", contentType: "application/vnd.speechmatics.v2+json", status: 423,
			body: `{"code":423,"error":"Resource Locked"}`, want: Error{Code: 423, Reason: "Resource Locked"},
		},
		{
			name: "the worker's", contentType: "application/json", status: 503,
			body: `{"detail":"Server busy: 8 engines not available"}`, want: Error{Detail: "Server busy: 8 engines not available"},
		},
		{
			name: "a validator's", contentType: "application/json", status: 422,
			body: `{"detail":[{"loc":["body","config",0],"msg":"field required","type":"x","input":"hunter2"},{"msg":"too long"},"plain",null,7,[]]}`,
			want: Error{Detail: "body.config.0: field required; too long; plain; 7"},
		},
		{
			name: "an object", contentType: "application/json", status: 400,
			body: `{"code":"400","error":{"message":"No","input":"hunter2"},"detail":{"x":"hunter2"}}`, want: Error{Code: 400, Reason: "No"},
		},
		{name: "a message", contentType: "application/json", status: 400, body: `{"message":"Not like this"}`, want: Error{Detail: "Not like this"}},
		{name: "JSON without its type", contentType: "text/plain", status: 400, body: ` {"error":"No"}`, want: Error{Reason: "No"}},
		{name: "JSON cut off", contentType: "application/json", status: 400, body: `{"error":"No","config":"hunter2`},
		{name: "odd code", contentType: "application/json", status: 400, body: `{"code":1e99,"error":null,"detail":false}`},
		{
			name: "an edge server's", contentType: "text/html", status: 401,
			body: "<html>\r\n<head><TITLE lang=en>401\n Authorization &amp; Required</TITLE></head><title>2</title><body>hunter2</body></html>",
			want: Error{Reason: "401 Authorization & Required"},
		},
		{name: "HTML without a title", contentType: "text/html; charset=utf-8", status: 502, body: "oops hunter2"},
		{name: "HTML without its type", contentType: "", status: 502, body: "<title>Bad</title>", want: Error{Reason: "Bad"}},
		{name: "empty", contentType: "", status: 429},
		{name: "plain", contentType: "text/plain", status: 500, body: "upstream\tconnect  error\n", want: Error{Detail: "upstream connect error"}},
		{
			name: "signed URL", contentType: "application/json", status: 400,
			body: `{"error":"Cannot fetch https://u:hunter2@h.example/a.wav?sig=hunter2","detail":"at \"https://h.example/b#hunter2\""}`,
			want: Error{Reason: "Cannot fetch https://h.example/a.wav", Detail: `at "https://h.example/b"`},
		},
		{
			name: "the key", contentType: "text/plain", status: 401, body: "no such key: " + testKey,
			want: Error{Detail: "no such key: [redacted]"},
		},
		{
			name: "long", contentType: "application/json", status: 400, body: `{"error":"` + long + `","detail":"` + long + `"}`,
			want: Error{Reason: strings.Repeat("ü", 126) + "…", Detail: strings.Repeat("ü", 510) + "…"},
		},
		{
			name: "unprintable", contentType: "text/plain", status: 500, body: "a\x00b\x1b[31m\u202ec\xff\u00a0d",
			want: Error{Detail: "a b [31mc\uFFFD d"},
		},
		{
			name: "signed URL with something invisible in it", contentType: "text/plain", status: 500,
			body: "https:\u200b//u:hunter2@h/a\u200b?\u200bhunter2 https://h/?\u200bhunter2\u00ad b", want: Error{Detail: "https://h/a https://h/ b"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := serve(t, answer(tt.status, tt.contentType, tt.body)).GetJob(testContext(t), "z2jfp1jwu1")
			var got *Error
			if !errors.As(err, &got) {
				t.Fatal(err)
			}
			tt.want.Operation, tt.want.JobID, tt.want.StatusCode = "GetJob", "z2jfp1jwu1", tt.status
			tt.want.RequestID, tt.want.ContentType = "0123456789abcdef0123456789abcdef", tt.contentType
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Error(diff)
			}
			text := err.Error()
			for _, part := range []string{"GetJob z2jfp1jwu1", fmt.Sprint(tt.status), got.Reason, got.Detail, "request ID 0123"} {
				if !strings.Contains(text, part) {
					t.Errorf("%q does not say %q", text, part)
				}
			}
			if strings.Contains(text, "hunter2") || strings.Contains(text, testKey) {
				t.Errorf("%q holds a secret", text)
			}
		})
	}
}

func TestErrorBodyIsBounded(t *testing.T) {
	written := make(chan int64, 1)
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		n, _ := io.Copy(w, io.LimitReader(&endlessReader{}, 1<<30))
		written <- n
	})
	_, err := c.GetJob(testContext(t), "a")
	if !hasStatus(err, http.StatusInternalServerError) {
		t.Errorf("got %v", err)
	}
	if n := <-written; n == 1<<30 {
		t.Error("all of an endless answer was read")
	}
}

func TestErrorText(t *testing.T) {
	tests := map[string]*Error{
		"speechmatics: GetJob a: 401 Unauthorized: check that the API key is valid and belongs to this host's region":                         {Operation: "GetJob", JobID: "a", StatusCode: 401},
		"speechmatics: ListJobs: 403 Forbidden: No: check that the API key has not expired and that the contract includes what was asked for": {Operation: "ListJobs", StatusCode: 403, Reason: "No"},
		"speechmatics: DeleteJob \"a b\": 599":                                {Operation: "DeleteJob", JobID: "a b", StatusCode: 599},
		"speechmatics: CreateJob: 400 Bad Request: No: Not so (request ID r)": {Operation: "CreateJob", StatusCode: 400, Reason: "No", Detail: "Not so", RequestID: "r"},
	}
	for want, err := range tests {
		if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestTemporary(t *testing.T) {
	temporary := map[int]bool{408: true, 425: true, 429: true, 501: false}
	for status := 300; status < 600; status++ {
		want, special := temporary[status]
		if !special {
			want = status >= 500
		}
		if got := (&Error{StatusCode: status}).Temporary(); got != want {
			t.Errorf("%d: got %t", status, got)
		}
	}
}

// TestPagesAreNotTheProviders has something in front of the provider answer in its place. That a job is gone, or its transcript there, is
// the provider's to say.
func TestPagesAreNotTheProviders(t *testing.T) {
	const page = "<html><title>404 Not Found</title>hunter2</html>"
	tests := map[string]struct {
		status      int
		contentType string
		believed    bool
	}{
		"the provider's":    {404, "application/json", true},
		"without a body":    {404, "", true},
		"a page":            {404, "text/html; charset=utf-8", false},
		"an ingress' words": {404, "text/plain", false},
		"gone":              {410, "application/vnd.speechmatics.v2+json", true},
		"a page says gone":  {410, "text/html", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := serve(t, answer(tt.status, tt.contentType, page))
			_, err := c.GetJob(testContext(t), "a")
			if believed := IsNotFound(err) || IsGone(err); believed != tt.believed || !hasStatus(err, tt.status) {
				t.Errorf("got %v, believed: %t", err, believed)
			}
			if err := c.DeleteJob(testContext(t), "a", DeleteOptions{}); (err == nil) != tt.believed {
				t.Errorf("deletion: got %v", err)
			}
		})
	}
	t.Run("a page is no success", func(t *testing.T) {
		c := serve(t, answer(http.StatusOK, "text/html", page))
		_, transcriptErr := c.Transcript(testContext(t), "a", FormatText)
		for _, err := range []error{transcriptErr, c.DeleteJob(testContext(t), "a", DeleteOptions{})} {
			var unusable *ResponseError
			if !errors.As(err, &unusable) || unusable.StatusCode != http.StatusOK || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
		}
	})
}

func TestIs(t *testing.T) {
	is := map[int]func(error) bool{
		404: IsNotFound, 410: IsGone, 401: IsUnauthorized, 403: IsForbidden, 429: IsRateLimited, 423: IsLocked,
	}
	for status := 300; status < 600; status++ {
		err := fmt.Errorf("wrapped: %w", &SubmissionError{Err: &Error{StatusCode: status}})
		for of, is := range is {
			if is(err) != (of == status) {
				t.Errorf("%d taken for %d: %t", status, of, is(err))
			}
		}
	}
	for _, is := range is {
		if is(nil) || is(errBroken) || is(&ResponseError{StatusCode: 404}) {
			t.Error("something else is taken for an answer")
		}
	}
}

func TestNotCreatedOfOtherErrors(t *testing.T) {
	for _, err := range []error{nil, errBroken, &Error{StatusCode: 400}, &InvalidError{}, &SubmissionError{Err: &Error{StatusCode: 400}}} {
		if NotCreated(err) {
			t.Errorf("%#v proves nothing", err)
		}
	}
	if !NotCreated(fmt.Errorf("wrapped: %w", &SubmissionError{Outcome: OutcomeNotCreated, Err: errBroken})) {
		t.Error("the proof is lost in the wrapping")
	}
	if OutcomeUnknown.String() != "unknown" || OutcomeNotCreated.String() != "not created" || SubmissionOutcome(7).String() != "unknown" {
		t.Error("outcomes have other names")
	}
}

func TestRetryAfter(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	tests := []struct {
		value, date string
		want        time.Duration
	}{
		{value: "", want: 0},
		{value: "0", want: 0},
		{value: "7", want: 7 * time.Second},
		{value: " 7 ", want: 7 * time.Second},
		{value: "-7", want: 0},
		{value: "1.5", want: 0},
		{value: "soon", want: 0},
		{value: "3601", want: time.Hour},
		{value: "9223372036854775807", want: time.Hour},
		{value: "18446744073709551616", want: 0},
		{value: "Fri, 02 Jan 2026 03:04:15 GMT", want: 10 * time.Second},
		{value: "Fri, 02 Jan 2026 03:04:15 GMT", date: "Fri, 02 Jan 2026 03:04:12 GMT", want: 3 * time.Second},
		{value: "Fri, 02 Jan 2026 03:04:15 GMT", date: "today", want: 10 * time.Second},
		{value: "Fri, 02 Jan 2026 03:04:00 GMT", want: 0},
		{value: "Sat, 03 Jan 2026 03:04:00 GMT", want: time.Hour},
		{value: "Fri, 02 Jan 9999 03:04:00 GMT", date: "Mon, 01 Jan 0001 00:00:00 GMT", want: time.Hour},
	}
	for _, tt := range tests {
		header := http.Header{"Retry-After": {tt.value}, "Date": {tt.date}}
		if got := retryAfter(header, now); got != tt.want {
			t.Errorf("%q at %q: got %s, want %s", tt.value, tt.date, got, tt.want)
		}
	}
}

func TestRetryAfterReachesTheError(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.Header().Set("X-Azure-Ref", "ref")
		w.WriteHeader(http.StatusTooManyRequests)
	})
	_, err := c.GetJob(testContext(t), "a")
	var got *Error
	if !errors.As(err, &got) || got.RetryAfter != 7*time.Second || got.RequestID != "ref" || !IsRateLimited(err) {
		t.Errorf("got %+v", got)
	}
}

func FuzzError(f *testing.F) {
	f.Add("application/json", []byte(`{"code":400,"error":"Job rejected","detail":"https://u:p@h/?q=hunter2"}`))
	f.Add("application/json", []byte(`{"detail":[{"loc":["body",1],"msg":"m"}]}`))
	f.Add("text/html", []byte(`<title>401 &lt;Authorization&gt; Required</title>`))
	f.Add("", []byte("plain\x00\xff"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		call := &call{operation: opGetJob, jobID: "a", key: testKey}
		err := call.readError(&http.Response{
			StatusCode: http.StatusBadRequest,
			Header:     http.Header{"Content-Type": {contentType}, "Request-Id": {contentType}},
			Body:       io.NopCloser(strings.NewReader(string(body))),
		}, time.Now)
		bounds := map[string]int{
			err.Reason: maxReasonBytes, err.Detail: maxErrorTextBytes, err.RequestID: maxRequestIDBytes, err.ContentType: maxContentTypeBytes,
		}
		for text, bound := range bounds {
			if len(text) > bound || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("got %q", text)
			}
			if strings.Contains(text, testKey) {
				t.Errorf("the key is in %q", text)
			}
		}
	})
}
