// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package isolation

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/notification"
)

// targetOf is the first attempt of a job.
func targetOf(job *v1alpha1.TranscriptionJob) notification.Target {
	return notification.Target{Namespace: job.Namespace, Name: job.Name, UID: job.UID, Attempt: 1}
}

// token is a good one, as the provider knows it of every job; whoever reads the job there knows it, too.
func token(t *testing.T, purpose notification.Purpose, target notification.Target) string {
	t.Helper()
	keys, err := notification.NewKeyring([]byte(town.SigningKey))
	if err != nil {
		t.Fatal(err)
	}
	return keys.Token(purpose, target)
}

// raw sends a request to the public door, byte for byte as it is written, and returns the status code of the answer.
func raw(t *testing.T, line, bearer, body string) int {
	t.Helper()
	address := strings.TrimPrefix(town.ReceiverURL(0), "http://")
	connection, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	authorization := ""
	if bearer != "" {
		authorization = "Authorization: Bearer " + bearer + "\r\n"
	}
	_, err = fmt.Fprintf(connection, "%s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/plain\r\nX-HTTP-Method-Override: POST\r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n%s",
		line, address, authorization, len(body), body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	defer func() { _ = response.Body.Close() }()
	return response.StatusCode
}

// TestForgedNotification sends notifications about the victim's job: without a token, with a good one of mallory's own job, with one that
// is good for something else, and by paths that a proxy or a server might take for another one. All are refused, and the victim's job
// is as it was. What she sends about her own job with the ID of the victim's counts for nothing.
func TestForgedNotification(t *testing.T) {
	t.Parallel()
	theirs, id := completed(t, "notified")
	own := newJob("notified")
	create(t, town.mallory, own)
	awaitReason(t, own, v1alpha1.ReasonComplete)
	get(t, theirs)

	target, mine := targetOf(theirs), targetOf(own)
	other := target
	other.Attempt = 2
	callback, stolen := token(t, notification.PurposeCallback, mine), token(t, notification.PurposeCallback, target)
	path, query := target.Path(), "?id="+id+"&status=success"
	up := strings.TrimSuffix(mine.Path(), mine.Path()[len("/v1/notifications/"):]) // what all paths have in common
	rest := strings.TrimPrefix(path, up)
	for name, c := range map[string]struct{ line, bearer string }{
		"no token":                          {"POST " + path + query, ""},
		"her own token":                     {"POST " + path + query, callback},
		"a token for deliveries":            {"POST " + path + query, token(t, notification.PurposeDeliver, target)},
		"a token for another attempt":       {"POST " + path + query, token(t, notification.PurposeCallback, other)},
		"a token in the query":              {"POST " + path + query + "&token=" + stolen, ""},
		"a longer token":                    {"POST " + path + query, stolen + "A"},
		"a shorter token":                   {"POST " + path + query, stolen[:len(stolen)-1]},
		"dots from her own path":            {"POST " + mine.Path() + "/../../../../" + rest + query, callback},
		"escaped dots":                      {"POST " + up + thief + "/%2e%2e/" + rest + query, callback},
		"escaped slashes":                   {"POST " + up + strings.ReplaceAll(rest, "/", "%2f") + query, callback},
		"two slashes":                       {"POST /" + path + query, stolen},
		"two slashes within":                {"POST " + strings.Replace(path, "/"+victim, "//"+victim, 1) + query, stolen},
		"another case":                      {"POST " + strings.Replace(path, victim, "VICTIM", 1) + query, stolen},
		"another case of the UID":           {"POST " + strings.Replace(path, string(theirs.UID), strings.ToUpper(string(theirs.UID)), 1) + query, stolen},
		"a number with a zero":              {"POST " + path[:len(path)-1] + "01" + query, stolen},
		"an absolute address":               {"POST http://evil.example" + mine.Path() + query, stolen},
		"parameters of the path":            {"POST " + path + ";x=y" + query, stolen},
		"the door's other question":         {"GET " + target.StorePath(), token(t, notification.PurposeDeliver, target)},
		"another method":                    {"PATCH " + path + query, stolen},
		"DELETE":                            {"DELETE " + path + query, stolen},
		"the other name's path, her token":  {"POST " + strings.Replace(mine.Path(), "/"+thief+"/", "/"+victim+"/", 1) + query, callback},
		"her path, the victim's good token": {"POST " + mine.Path() + query, stolen},
	} {
		if code := raw(t, c.line, c.bearer, "These are mallory's words."); code < 400 || code >= 500 {
			t.Errorf("%s is answered %d", name, code)
		}
	}
	// This one she may speak for; but the ID is not her job's.
	if code := raw(t, "POST "+mine.Path()+query, callback, "These are mallory's words."); code != http.StatusNoContent {
		t.Errorf("her own job's notification with the victim's ID is answered %d", code)
	}
	for _, job := range []*v1alpha1.TranscriptionJob{theirs, own} {
		before := job.ResourceVersion
		words := transcriptOf(t, job)
		if get(t, job); job.ResourceVersion != before || strings.Contains(words, "mallory") {
			t.Errorf("%s/%s was changed: %+v", job.Namespace, job.Name, job.Status)
		}
	}
}

// TestReplayedNotification repeats a good notification of the victim's: for the same job, where it changes nothing, and after the job was
// deleted and another one made with its name, which it is not about.
func TestReplayedNotification(t *testing.T) {
	t.Parallel()
	theirs, id := completed(t, "replayed")
	target := targetOf(theirs)
	replay := func() int {
		return raw(t, "POST "+target.Path()+"?id="+id+"&status=success", token(t, notification.PurposeCallback, target), "Other words.")
	}
	before, words := theirs.ResourceVersion, transcriptOf(t, theirs)
	if code := replay(); code != http.StatusNoContent {
		t.Errorf("a repeated notification is answered %d", code)
	}
	if get(t, theirs); theirs.ResourceVersion != before || transcriptOf(t, theirs) != words {
		t.Error("the repeated notification changed the job")
	}
	if err := town.admin.Delete(t.Context(), theirs); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is gone", func() (bool, string) {
		err := town.admin.Get(t.Context(), types.NamespacedName{Namespace: victim, Name: theirs.Name}, theirs.DeepCopy())
		return err != nil, ""
	})
	namesake := jobIn(victim, theirs.Name, suspended)
	create(t, town.admin, namesake)
	awaitReason(t, namesake, v1alpha1.ReasonSuspended)
	if code := replay(); code != http.StatusNoContent {
		t.Errorf("a notification about a job that is gone is answered %d", code)
	}
	before = namesake.ResourceVersion
	if get(t, namesake); namesake.ResourceVersion != before || namesake.Status.Notification != nil {
		t.Errorf("the namesake got it: %+v", namesake.Status)
	}
}

// TestStarvedByBodies has mallory send as many bodies as the public door takes at a time, each with a good token of her own job and none to
// its end. The victim's notification gets through; she is told to come again.
func TestStarvedByBodies(t *testing.T) {
	own := newJob("slow")
	create(t, town.mallory, own)
	awaitReason(t, own, v1alpha1.ReasonComplete)
	target := targetOf(own)
	address := town.ReceiverURL(0) + target.Path() + "?id=" + *own.Status.RemoteJob.ID + "&status=success"
	bearer := notification.Authorization(token(t, notification.PurposeCallback, target))

	const bodies, share = 40, 16
	ctx, cancel := context.WithCancel(t.Context())
	var (
		ended   sync.WaitGroup
		refused atomic.Int32
	)
	defer ended.Wait()
	defer cancel()
	transport := &http.Transport{MaxConnsPerHost: bodies}
	defer transport.CloseIdleConnections()
	for range bodies {
		body, writer := io.Pipe()
		ended.Go(func() {
			_, _ = writer.Write([]byte("These words have no end"))
			<-ctx.Done()
			_ = writer.Close()
		})
		ended.Go(func() {
			defer func() { _ = body.Close() }()
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, body)
			if err != nil {
				t.Error(err)
				return
			}
			request.Header.Set("Authorization", bearer)
			request.Header.Set("Content-Type", "text/plain")
			response, err := (&http.Client{Transport: transport}).Do(request)
			if err != nil {
				return // it was held to the end
			}
			_ = response.Body.Close()
			if response.StatusCode == http.StatusServiceUnavailable {
				refused.Add(1)
			}
		})
	}
	eventually(t, "all are held or refused", func() (bool, string) {
		return refused.Load() == bodies-share, fmt.Sprintf("%d of %d are refused", refused.Load(), bodies)
	})
	theirs := jobIn(victim, "meanwhile")
	create(t, town.admin, theirs)
	awaitReason(t, theirs, v1alpha1.ReasonComplete)
	if n := theirs.Status.Notification; n == nil || n.Source != v1alpha1.SourceCallback {
		t.Errorf("the victim's notification did not get through: %+v", n)
	}
	if n := refused.Load(); n != bodies-share {
		t.Errorf("%d bodies were refused, want %d", n, bodies-share)
	}
}
