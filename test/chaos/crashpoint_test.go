// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/internal/crashpoint"
	"github.com/transcription-operator/transcription-operator/notification"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// crashpointVariable orders crashes; see package crashpoint.
const crashpointVariable = "TRANSCRIPTION_OPERATOR_CRASHPOINT"

// crashpointScenarios kill programs between every two steps, by name.
func crashpointScenarios() []scenario {
	return []scenario{
		{
			name: "manager-crash-points", fault: "manager killed between two steps, by name",
			story: "in each of its runs the manager kills itself at another point of a job's way",
			short: 1,
			system: func(r *run) harness.SystemOptions {
				return r.crashing(r.orders("kill", crashpoint.Manager(), crashpoint.StatusWritten), nil)
			},
			breaks: (*run).everyWay,
		},
		{
			name: "receiver-crash-points", fault: "receiver killed between two steps, by name",
			story: "in each of its runs the receiver kills itself at another point of storing a transcript",
			system: func(r *run) harness.SystemOptions {
				return r.crashing(nil, r.orders("kill", crashpoint.Receiver(), crashpoint.Answering))
			},
			breaks: (*run).everyWay,
		},
		{
			name: "receiver-power-loss", fault: "receiver's machine loses power between two steps",
			story: "as before, and the volume loses what was not synced",
			short: 1,
			system: func(r *run) harness.SystemOptions {
				return r.crashing(nil, r.orders("power", storing, crashpoint.Answering))
			},
			breaks: (*run).everyWay,
		},
		{
			name: "both-crash-points", fault: "manager and receiver killed between two steps, by name",
			story: "both kill themselves, at points of their own",
			system: func(r *run) harness.SystemOptions {
				return r.crashing(r.orders("kill", crashpoint.Manager(), crashpoint.StatusWritten), r.orders("power", crashpoint.Receiver(), crashpoint.Answering))
			},
			breaks: (*run).everyWay,
		},
	}
}

// storing are the points after which something of a transcript may be on the volume.
var storing = []crashpoint.Point{
	crashpoint.FileWritten, crashpoint.FileSynced, crashpoint.FileNamed, crashpoint.FolderSynced, crashpoint.Stored, crashpoint.NotificationRecorded, crashpoint.Answering,
}

// essential are the points at which money or a transcript would be lost most easily.
var essential = append([]crashpoint.Point{
	crashpoint.Claimed, crashpoint.TakenUp, crashpoint.LastBytes, crashpoint.Accepted, crashpoint.Recorded, crashpoint.Searched, crashpoint.Delivered,
}, storing...)

// orders order a crash at each of some points, in random order: one for each run of a program. So that a run whose point nobody passes does
// not last for ever, it ends at another one, which is passed often. In the short form it is those of the points that are essential.
func (r *run) orders(action string, points []crashpoint.Point, often crashpoint.Point) []string {
	points = slices.Clone(points)
	if r.small {
		points = slices.DeleteFunc(points, func(p crashpoint.Point) bool { return !slices.Contains(essential, p) })
	}
	r.random.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
	runs := make([]string, 0, len(points))
	for _, p := range points {
		runs = append(runs, fmt.Sprintf("%s=%s,%s", crashpointVariable, order(p, 1+r.random.IntN(2), action), order(often, 25+r.random.IntN(25), action)))
	}
	return runs
}

// order orders something at the n-th pass of a point.
func order(p crashpoint.Point, pass int, action string) string {
	return fmt.Sprintf("%s:%d:%s", p, pass, action)
}

// crashing is a system of one manager and one receiver with orders.
func (r *run) crashing(manager, receiver []string) harness.SystemOptions {
	return harness.SystemOptions{
		Receivers: 1, ManagerArgs: []string{"--leader-elect=false"},
		ManagerRuns: map[int][]string{0: manager}, ReceiverRuns: map[int][]string{0: receiver},
	}
}

// everyWay sends jobs on every way that they can take, one batch after the other, so that each point is passed: answers get lost,
// notifications too, claims are erased, transcripts are large, objects are deleted.
func (r *run) everyWay() {
	r.Helper()
	r.replaceFaults(
		simulator.Fault{Kind: simulator.FaultResponseLost, Operation: simulator.OperationCreate, Probability: 0.15},
		simulator.Fault{Kind: simulator.FaultRequestReset, Operation: simulator.OperationCreate, Probability: 0.1},
		simulator.Fault{Kind: simulator.FaultError, Operation: simulator.OperationCreate, Status: 429, Probability: 0.1},
		simulator.Fault{Kind: simulator.FaultNotificationLost, Probability: 0.3},
		simulator.Fault{Kind: simulator.FaultNotificationEarly, Probability: 0.1},
	)
	batches := 10
	if r.small {
		batches = 3
	}
	for batch := range batches {
		jobs := r.create(6)
		if batch%3 == 0 {
			r.createLarge()
		}
		r.wait(r.between(time.Second, 2*time.Second))
		r.eraseClaim(pick(r, jobs...))
		if j := pick(r, jobs...); !j.erased {
			r.delete(j)
		}
	}
	r.replaceFaults()
}

// crashed matches what a program says before it crashes.
var crashed = regexp.MustCompile(`(?m)^crashpoint ([a-z-]+: [a-z]+)$`)

// crashes are the points at which programs have crashed.
func (r *run) crashes() []string {
	r.Helper()
	var found []string
	for _, program := range r.programs() {
		log, err := program.Log()
		r.must(err)
		for _, match := range crashed.FindAllSubmatch(log, -1) {
			found = append(found, string(match[1]))
		}
	}
	return found
}

// createLarge creates a job with a recording of hours, whose transcript is split over several ConfigMaps. It has numbers for words.
func (r *run) createLarge() {
	r.Helper()
	j := r.createOne(func(object *v1alpha1.TranscriptionJob) {
		r.must(os.WriteFile(filepath.Join(r.system.Media, object.Name+".txt"), []byte("@length 6h\n"), 0o600))
		object.Spec.Transcripts = v1alpha1.TranscriptsSpec{Formats: []v1alpha1.TranscriptFormat{v1alpha1.FormatJSONv2, v1alpha1.FormatText}}
	})
	j.word = ""
}

// eraseClaim does what kubectl replace with the original manifest does: annotations and finalizers are gone.
func (r *run) eraseClaim(j *job) {
	r.Helper()
	if j.deleted {
		return
	}
	j.erased = true
	r.must(r.patch(j, fmt.Sprintf(`{"metadata":{"annotations":{%q:null},"finalizers":null}}`, notification.ClaimAnnotation)))
}

// TestRelease: a program that is built as it is released knows nothing of crash points. Those that the suite runs do.
func TestRelease(t *testing.T) {
	released, err := harness.Build(t.Context(), t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		file   string
		points []crashpoint.Point
		want   bool
	}{
		{released.Manager, crashpoint.Manager(), false},
		{released.Receiver, crashpoint.Receiver(), false},
		{programs.Manager, crashpoint.Manager(), true},
		{programs.Receiver, crashpoint.Receiver(), true},
	} {
		content, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		names := []string{crashpointVariable}
		for _, p := range c.points {
			names = append(names, string(p))
		}
		for _, name := range names {
			if found := bytes.Contains(content, []byte(name)); found != c.want {
				t.Errorf("%s: %s is in it: %t, want %t", c.file, name, found, c.want)
			}
		}
	}
}
