// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics"
)

// TestCircuit tells a circuit of answers, a second after each other, and compares in how many seconds the next submission may be
// tried. "403 a" is a refusal of job a, "429" one of the rate, "ok" an acceptance, "try a" lets job a through, "drop a" is one that was
// let through and is not submitted after all, "edit" a change of the account, "wait 5" five seconds.
func TestCircuit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		story string
		want  string
	}{
		"one job's own trouble, again and again":      {"403 a, 403 a, 403 a, 403 a, 403 a", "0 0 0 0 0"},
		"two jobs' own trouble":                       {"403 a, 403 b, 403 a, 403 b", "0 0 0 0"},
		"three in a row":                              {"403 a, 403 b, 403 c", "0 0 9"},
		"not in a row":                                {"403 a, 403 b, ok, 403 c, 403 a", "0 0 0 0 0"},
		"each try waits longer, up to the longest":    {"403 a, 403 b, 403 c, wait 9, try d, 403 d, wait 18, try e, wait 39, try f, wait 59, try g", "0 0 9 0 19 18 0 39 0 59 0 59"},
		"one that is accepted closes it":              {"403 a, 403 b, 403 c, wait 9, try d, ok, 403 a, 403 b", "0 0 9 0 19 0 0 0"},
		"one that is not submitted leaves its turn":   {"403 a, 403 b, 403 c, wait 9, try d, drop x, drop d", "0 0 9 0 19 18 0"},
		"too many requests, shorter at first":         {"429, 429, 429, try a, 429, wait 1, try b, wait 3, try c", "0 0 0 1 0 0 3 0 7"},
		"too many requests, and some are accepted":    {"429, 429, ok, 429, 429", "0 0 0 0 0"},
		"a changed account is tried at once":          {"403 a, 403 b, 403 c, try d, edit, try e", "0 0 9 19 0 19"},
		"changing an account that is well is nothing": {"403 a, edit, 403 b", "0 0 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			circuit := newCircuit(10*time.Second, time.Minute)
			now := dawn
			var got []string
			for event := range strings.SplitSeq(c.story, ", ") {
				what, which, _ := strings.Cut(event, " ")
				job := types.UID(which)
				switch what {
				case "403":
					circuit.forbid(job, "a", "reason", "because", now)
				case "429":
					circuit.slow("reason", "because", now)
				case "ok":
					circuit.accept()
				case "try":
					circuit.letThrough(job, "a", now)
				case "drop":
					circuit.withdraw(job, now)
				case "edit":
					circuit.retry(now)
				case "wait":
					var seconds int
					if _, err := fmt.Sscan(which, &seconds); err != nil {
						t.Fatal(err)
					}
					now = now.Add(time.Duration(seconds-1) * time.Second)
				}
				now = now.Add(time.Second)
				got = append(got, strconv.Itoa(int(max(0, circuit.due("a").Sub(now)).Seconds())))
			}
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("when the next submission may be tried (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLimits_circuit has the provider refuse everybody: after three jobs, one is tried now and then, each time another one, whatever their
// priorities; requests go on. As soon as one is accepted all are let in.
func TestLimits_circuit(t *testing.T) {
	t.Parallel()
	fake := newSteppingClock()
	woken := &admissions{}
	l := newLimits(Options{Clock: fake, RetryInterval: 10 * time.Second, SecretInterval: time.Minute}.withDefaults(), woken.wake)
	told := 0
	l.changed = func(sharers []sharer) { told += len(sharers) }
	l.set(sharing("account", nil))
	crowd := map[types.UID]*v1alpha1.TranscriptionJob{}
	for i := range 20 {
		job := waitingJob("n", fmt.Sprintf("%02d", i), int32(-i), fake.Now())
		crowd[job.UID] = job
		l.admit(job, "account")
	}
	refuse := func(uid types.UID) {
		l.forbidden(crowd[uid], "403 Forbidden")
		l.release(uid)
		l.admit(crowd[uid], "account") // it asks again at once, which it would not in life
	}
	refuse("n/00")
	seen := 0
	tries := map[string]int{}
	for range 10 * 60 {
		fake.Step(100 * time.Millisecond)
		all := woken.all()
		for _, name := range all[seen:] {
			tries[name]++
			refuse(types.UID(name))
		}
		seen = len(all)
	}
	// At 1 s comes the third refusal at the latest; the tries are some 10, 30 and 70 seconds later.
	if len(tries) < 4 || len(tries) > 5 || tries["n/01"] != 1 || tries["n/04"] != 1 {
		t.Errorf("tried within a minute: %v, want some four different jobs", tries)
	}
	if reason, because := l.refusing(); reason != v1alpha1.ReasonSubmissionsForbidden || because != "403 Forbidden" || told != 1 {
		t.Errorf("it is refusing by %q because of %q, and told %d times", reason, because, told)
	}
	if err := l.request(t.Context()); err != nil {
		t.Errorf("requests do not go on: %v", err)
	}
	if l.admit(crowd["n/02"], "account") {
		t.Error("a job that asks is let in while others are tried")
	}

	l.accepted()
	for range 30 {
		fake.Step(100 * time.Millisecond)
	}
	if running, waiting := l.counts(); running < 15 || waiting > 5 {
		t.Errorf("3 s after one was accepted %d are let in and %d wait", running, waiting)
	}
	if reason, _ := l.refusing(); reason != "" || told != 2 {
		t.Errorf("it is still refusing by %q, told %d times", reason, told)
	}
}

// TestLimits_circuitOfOthers has all jobs of one namespace be refused for so long that the waits are at their longest. A job of another
// namespace goes at once; if it is refused too, that namespace has to wait like the first one, and a third one only for the shortest wait.
func TestLimits_circuitOfOthers(t *testing.T) {
	t.Parallel()
	const shortest, longest = 10 * time.Second, 5 * time.Minute
	fake := newSteppingClock()
	woken := &admissions{}
	l := newLimits(Options{Clock: fake, RetryInterval: shortest, SecretInterval: longest}.withDefaults(), woken.wake)
	l.set(sharing("account", nil))
	refuse := func(job *v1alpha1.TranscriptionJob) {
		l.forbidden(job, "403 Forbidden")
		l.release(job.UID)
	}
	crowd := map[string]*v1alpha1.TranscriptionJob{}
	for i := range 100 {
		job := waitingJob("bad", fmt.Sprintf("%02d", i), 1000, fake.Now())
		crowd["bad/"+job.Name] = job
		if l.admit(job, "account") {
			refuse(job)
		}
	}
	seen := 0
	// pass lets time pass, in which everybody of the first namespace is refused, and tells who else was let in.
	pass := func(d time.Duration) (others []string) {
		for range d / time.Second {
			fake.Step(time.Second)
			for _, name := range woken.all()[seen:] {
				seen++
				if job, bad := crowd[name]; bad {
					refuse(job)
				} else {
					others = append(others, name)
				}
			}
		}
		return others
	}
	pass(20 * time.Minute)
	longAgo := fake.Now()
	if due := l.circuit.due("bad"); due.Sub(longAgo) > longest || l.circuit.wait != longest {
		t.Fatalf("the next of the first namespace may be tried in %s, then in %s", due.Sub(longAgo), l.circuit.wait)
	}

	second := waitingJob("second", "a", -1000, fake.Now())
	if !l.admit(second, "account") {
		t.Fatal("a job of another namespace is not let in")
	}
	refuse(second)
	if l.admit(waitingJob("second", "b", 0, fake.Now()), "account") {
		t.Error("another one of a namespace that was refused is let in at once")
	}
	if l.admit(waitingJob("third", "a", 0, fake.Now()), "account") {
		t.Error("two are let in together")
	}
	if others := pass(shortest); !slices.Equal(others, []string{"third/a"}) {
		t.Errorf("after the shortest wait %v are let in, want that of the third namespace", others)
	}
	if due := l.circuit.due("bad"); due.Sub(longAgo) > longest || l.circuit.wait != longest {
		t.Errorf("others have put off the next of the first namespace: it may be tried in %s, then in %s", due.Sub(longAgo), l.circuit.wait)
	}

	l.accepted()
	if others := pass(2 * time.Second); !slices.Equal(others, []string{"second/b"}) {
		t.Errorf("when one is accepted %v are let in besides the first namespace", others)
	}
}

// TestLimits_leftTrial has a job that is tried be deleted: its try is another one's.
func TestLimits_leftTrial(t *testing.T) {
	t.Parallel()
	fake := newSteppingClock()
	woken := &admissions{}
	l := limitsAt(fake, woken.wake)
	l.set(sharing("account", &v1alpha1.AccountLimits{SubmissionsPerSecond: ptr.To(int32(1000))}))
	for _, name := range []string{"x", "y", "z"} {
		l.forbidden(waitingJob("n", name, 0, fake.Now()), "403 Forbidden")
	}
	l.admit(waitingJob("n", "a", 0, fake.Now()), "account")
	l.admit(waitingJob("n", "b", 0, fake.Now()), "account")
	fake.Step(11 * time.Second)
	l.release("n/a")
	fake.Step(2 * time.Millisecond)
	if diff := cmp.Diff([]string{"n/a", "n/b"}, woken.all()); diff != "" {
		t.Errorf("tried (-want +got):\n%s", diff)
	}
}

// TestCountRefusal has answers to submissions count for the circuit that may lie in the account, also one that says nothing about whether a
// job was created, and tells nobody more about them than the code.
func TestCountRefusal(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]string{
		http.StatusForbidden:            v1alpha1.ReasonSubmissionsForbidden,
		http.StatusPaymentRequired:      v1alpha1.ReasonSubmissionsForbidden,
		http.StatusTooManyRequests:      v1alpha1.ReasonRateLimited,
		http.StatusBadRequest:           "",
		http.StatusUnauthorized:         "",
		http.StatusServiceUnavailable:   "",
		http.StatusUnsupportedMediaType: "",
	} {
		p := &provider{limits: limitsAt(newSteppingClock(), func(types.NamespacedName) {})}
		for _, name := range []string{"a", "b", "c"} {
			p.countRefusal(waitingJob("n", name, 0, dawn), fmt.Errorf("submission: %w", &speechmatics.Error{StatusCode: status, Detail: "the title \"secret\" is too long"}))
		}
		reason, because := p.limits.refusing()
		if reason != want || strings.Contains(because, "secret") {
			t.Errorf("%d: %q because of %q, want %q", status, reason, because, want)
		}
	}
}
