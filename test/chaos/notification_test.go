// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

// notificationScenarios have notifications go astray, or meet a receiver that cannot take them.
func notificationScenarios() []scenario {
	return []scenario{
		{
			name: "notifications-lost", fault: "all notifications lost",
			story:  "the provider believes to have sent each notification, and none arrives",
			short:  1,
			breaks: untilDone(func(r *run) { r.order(simulator.Fault{Kind: simulator.FaultNotificationLost}) }),
		},
		{
			name: "notifications-doubled", fault: "notifications doubled",
			story: "each notification comes twice at the same moment, and once more afterwards",
			breaks: untilDone(func(r *run) {
				r.order(simulator.Fault{Kind: simulator.FaultNotificationDoubled})
				r.hire(&postman{doubles: true})
			}),
		},
		{
			name: "notifications-early", fault: "notifications before the submission's answer",
			story:  "each job is done and notified before its submission is answered",
			breaks: untilDone(func(r *run) { r.order(simulator.Fault{Kind: simulator.FaultNotificationEarly}) }),
		},
		{
			name: "notifications-early-answer-lost", fault: "notifications before the submission's answer",
			story: "as notifications-early, and the answers are lost",
			breaks: untilDone(func(r *run) {
				r.order(append([]simulator.Fault{{Kind: simulator.FaultNotificationEarly}}, lostAnswers...)...)
			}),
		},
		{
			name: "notifications-reordered", fault: "notifications reordered",
			story:  "notifications are held back, and come all at once in any order, some twice",
			system: slowJobs,
			breaks: (*run).reorder,
		},
		{
			name: "notifications-late", fault: "notifications later than everything else",
			story:  "every job has finished, and all is done for it, when its notification comes: in life hours later, here seconds",
			breaks: (*run).deliverLate,
		},
		{
			name: "notifications-for-the-deleted", fault: "notifications for deleted jobs",
			story:  "notifications come for objects that were deleted while the provider worked, or afterwards",
			system: slowJobs,
			breaks: (*run).deliverToDeleted,
		},
		{
			name: "notifications-of-earlier-attempts", fault: "notifications for earlier attempts",
			story:    "the first attempt of each job expires before its notification comes, while the second one is under way or afterwards",
			system:   slowJobs,
			breaks:   (*run).deliverToEarlier,
			attempts: 2,
		},
		{
			name: "notifications-forged", fault: "forged notifications",
			story:  "somebody who has seen others' notifications sends forged ones, with other words, before the real ones come",
			system: slowJobs,
			breaks: (*run).forge,
		},
		{
			name: "disk-full", fault: "notifications while the store is full",
			story:  "the receivers' disks are full while jobs are submitted, and while they are done",
			system: slowJobs,
			breaks: whileBroken(anywhere, 3*time.Second, func(r *run) { r.must(r.system.FillDisks()) }, func(r *run) { r.must(r.system.FreeDisks()) }),
		},
		{
			name: "quota-used-up", fault: "notifications while the store is full",
			story:  "a ResourceQuota lets nobody create ConfigMaps",
			system: slowJobs,
			breaks: whileBroken(inConfigMaps, 3*time.Second, (*run).useUpQuota, (*run).liftQuota),
		},
		{
			name: "disk-read-only", fault: "notifications while the store is read-only",
			story:  "the volume can only be read while jobs are submitted, and while they are done",
			system: slowJobs,
			breaks: whileBroken(onVolume, 3*time.Second, func(r *run) { r.must(r.system.ProtectVolume(true)) }, func(r *run) { r.must(r.system.ProtectVolume(false)) }),
		},
		{
			name: "store-slow", fault: "notifications while the store is slow",
			story:  "the receivers stand still most of the time, as with a disk that hangs, and the API server answers them late; the provider waits for a second, and sends again",
			system: impatientProvider,
			breaks: (*run).slowStore,
			checks: (*run).checkRepeated,
		},
		{
			name: "receivers-api-down", fault: "notifications while the API server is down",
			story:  "the receivers cannot reach the API server",
			system: slowJobs,
			breaks: whileBroken(anywhere, receiversPatience, func(r *run) { r.system.ReceiverAPI.Refuse() }, func(r *run) { r.system.ReceiverAPI.Pass() }),
		},
		{
			name: "receivers-api-stalled", fault: "notifications while the API server is down",
			story:  "what the receivers ask the API server hangs, for less time than they wait",
			system: slowJobs,
			breaks: (*run).stallReceiversAPI,
		},
	}
}

// untilDone breaks something before jobs are created, and goes on until the provider is done with all of them.
func untilDone(breaks func(*run)) func(*run) {
	return func(r *run) {
		breaks(r)
		for range 3 {
			r.create(r.few())
			r.wait(r.between(200*time.Millisecond, time.Second))
		}
		r.untilProviderIsDone()
		r.order()
		r.dismiss()
	}
}

// untilProviderIsDone waits until each job has reached the provider, which works on none any more.
func (r *run) untilProviderIsDone() {
	r.Helper()
	r.eventually(patience, "the provider is done", func() (string, error) {
		ledger, err := r.system.API.Ledger(r.ctx)
		if err != nil {
			return "", err
		}
		left := map[types.UID]string{}
		for _, j := range r.jobs {
			left[j.uid] = j.name + " is not there"
		}
		for _, entry := range ledger {
			uid, _, _ := strings.Cut(entry.Reference, "/")
			delete(left, types.UID(uid))
			if entry.Status == "running" {
				left[types.UID(uid)] = entry.JobID + " is running"
			}
		}
		for _, why := range left {
			return why, nil
		}
		return "", nil
	})
}

// untilFinished waits until every job has finished.
func (r *run) untilFinished() {
	r.Helper()
	r.eventually(patience, "every job has finished", func() (string, error) { return r.unfinished(r.isFinished) })
}

// anywhere, inConfigMaps and onVolume say where transcripts are to be stored.
func anywhere(*v1alpha1.TranscriptionJob) {}

func inConfigMaps(j *v1alpha1.TranscriptionJob) { j.Spec.Transcripts.PersistentVolumeClaim = nil }

func onVolume(j *v1alpha1.TranscriptionJob) {
	j.Spec.Transcripts.PersistentVolumeClaim = &v1alpha1.PersistentVolumeClaimStore{ClaimName: harness.VolumeClaim}
}

// receiversPatience is longer than a slow job takes, and a receiver tries to reach the API server before it refuses the notification.
const receiversPatience = 14 * time.Second

// whileBroken breaks the store of some jobs, or the way to it, twice: while they are done and nothing stood in the way of their submission,
// for long enough that notifications are refused; and while jobs are created.
func whileBroken(where jobOption, long time.Duration, breaks, mends func(*run)) func(*run) {
	return func(r *run) {
		r.create(r.few(), where)
		r.create(r.few())
		r.untilAllSubmitted()
		breaks(r)
		r.wait(r.between(long, long+2*time.Second))
		mends(r)
		if r.refusedNotifications() == 0 {
			r.Errorf("no notification has met the broken store")
		}
		created := r.create(r.few() + r.few())
		r.wait(r.between(0, 200*time.Millisecond))
		breaks(r)
		r.wait(r.between(3*time.Second, 6*time.Second))
		mends(r)
		r.Logf("%d jobs met a broken store when they were created", len(created))
	}
}

// refusedNotifications is how many were answered 5xx, or not at all.
func (r *run) refusedNotifications() int {
	n := 0
	for _, seen := range r.system.Public.Notifications() {
		if seen.Code == 0 || seen.Code >= http.StatusInternalServerError {
			n++
		}
	}
	return n
}

// stallReceiversAPI has the API server answer the receivers not at all for a while, again and again.
func (r *run) stallReceiversAPI() {
	r.Helper()
	for range 4 {
		r.create(r.few())
		r.wait(r.between(0, 2*time.Second))
		r.system.ReceiverAPI.Stall()
		r.wait(r.between(500*time.Millisecond, 4*time.Second))
		r.system.ReceiverAPI.Pass()
	}
}

// untilAllSubmitted waits until each job has reached the provider.
func (r *run) untilAllSubmitted() {
	r.Helper()
	r.eventually(patience, "every job is submitted", func() (string, error) {
		ledger, err := r.system.API.Ledger(r.ctx)
		if len(ledger) < len(r.jobs) {
			return fmt.Sprintf("%d of %d are", len(ledger), len(r.jobs)), err
		}
		return "", err
	})
}

// reorder holds all notifications back until the provider is done.
func (r *run) reorder() {
	r.Helper()
	postman := r.hire(&postman{keeps: everything})
	for range 2 {
		r.create(r.few())
		r.wait(r.between(0, time.Second))
	}
	letters := r.untilKept(postman)
	r.postAll(letters)
	r.dismiss()
}

// deliverLate holds all notifications back until every job has finished without them, and wants them to change nothing.
func (r *run) deliverLate() {
	r.Helper()
	postman := r.hire(&postman{keeps: everything})
	for range 2 {
		r.create(r.few())
		r.wait(r.between(0, time.Second))
	}
	r.untilFinished()
	r.eventually(patience, "all is done for every job", func() (string, error) { return r.unfinished(isSettled) })
	before, err := r.objects()
	r.must(err)
	r.postAll(r.untilKept(postman))
	r.dismiss()
	after, err := r.objects()
	r.must(err)
	for uid, object := range before {
		if !equality.Semantic.DeepEqual(object.Status, after[uid].Status) {
			r.Errorf("a late notification has changed a status:\n%s\n%s", describe(object), describe(after[uid]))
		}
	}
}

// deliverToDeleted holds all notifications back, deletes half of the objects at random moments, and delivers when they are gone. Nothing is
// to be stored for them.
func (r *run) deliverToDeleted() {
	r.Helper()
	postman := r.hire(&postman{keeps: everything})
	doomed := r.create(r.few() + r.few())
	r.create(r.few())
	for _, j := range doomed {
		r.wait(r.between(0, time.Second))
		r.delete(j)
	}
	r.eventually(patience, "the deleted objects are gone", func() (string, error) {
		objects, err := r.objects()
		for _, j := range doomed {
			if objects[j.uid] != nil {
				return describe(objects[j.uid]), err
			}
		}
		return "", err
	})
	r.untilFinished() // so that what is stored meanwhile is the others'
	before := r.storedNames()
	r.postAll(postman.letters())
	r.dismiss()
	if after := r.storedNames(); !slices.Equal(before, after) {
		r.Errorf("notifications for deleted objects have stored something:\nbefore %q\nafter %q", before, after)
	}
}

// storedNames are the names of all ConfigMaps and of all files of the volume.
func (r *run) storedNames() []string {
	r.Helper()
	configMaps := &corev1.ConfigMapList{}
	r.must(cluster.Client.List(r.ctx, configMaps, client.InNamespace(r.system.Namespace)))
	names := make([]string, 0, len(configMaps.Items))
	for _, c := range configMaps.Items {
		names = append(names, c.Name)
	}
	r.must(filepath.WalkDir(r.system.Volume, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	}))
	slices.Sort(names)
	return names
}

// deliverToEarlier lets first attempts expire, holds their notifications back, and delivers them at random moments.
func (r *run) deliverToEarlier() {
	r.Helper()
	r.order(simulator.Fault{Kind: simulator.FaultExpire, Reference: firstAttempts, Delay: simulator.Duration(100 * time.Millisecond)})
	postman := r.hire(&postman{keeps: func(l letter) bool { return l.target.Attempt == 1 }})
	r.create(r.few() + r.few())
	r.eventually(patience, "first attempts are given up", func() (string, error) {
		return r.unfinished(func(object *v1alpha1.TranscriptionJob) bool {
			return ptr.Deref(object.Status.FailedAttempts, 0) > 0 || object.Status.CompletionTime != nil
		})
	})
	letters := r.untilKept(postman)
	r.random.Shuffle(len(letters), func(i, j int) { letters[i], letters[j] = letters[j], letters[i] })
	early := letters[:len(letters)*2/3]
	for _, l := range early {
		r.postAll([]letter{l})
		r.wait(r.between(0, 300*time.Millisecond))
	}
	r.untilFinished()
	r.postAll(letters)
	r.dismiss()
	r.order()
}

// forge sends forged notifications while the real ones are held back, and again when all is over.
func (r *run) forge() {
	r.Helper()
	postman := r.hire(&postman{keeps: everything})
	r.create(2 + r.few())
	letters := r.untilKept(postman)
	for i := range letters {
		r.postForged(letters, i)
	}
	r.postAll(letters)
	r.dismiss()
	r.untilFinished()
	for i := range letters {
		r.postForged(letters, i)
	}
}

// forgery is a letter that nobody has sent, and what it may be answered.
type forgery struct {
	what   string
	letter letter
	codes  []int
}

// postForged sends everything that can be made of one job's notification, and another one's, without the key.
func (r *run) postForged(letters []letter, i int) {
	r.Helper()
	genuine, other := letters[i], letters[(i+1)%len(letters)]
	for _, f := range forgeries(genuine, other) {
		if f.letter.header.Get("Content-Type") == "text/plain" {
			f.letter.body = []byte("forged words\n")
		}
		if code := r.post(f.letter); !slices.Contains(f.codes, code) {
			r.Errorf("%s, for %s: answered %d, want one of %d", f.what, genuine.target.Name, code, f.codes)
		}
	}
}

func forgeries(genuine, other letter) []forgery {
	with := func(change func(*letter)) letter {
		forged := genuine
		forged.header = genuine.header.Clone()
		change(&forged)
		return forged
	}
	authorization := func(values ...string) letter {
		return with(func(l *letter) { l.header["Authorization"] = values })
	}
	elsewhere := func(path string) letter { return with(func(l *letter) { l.path = path }) }
	t := genuine.target
	token := genuine.header.Get("Authorization")
	refused, unknown := []int{http.StatusUnauthorized}, []int{http.StatusNotFound, http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusUnauthorized}
	path := func(namespace, name string, uid types.UID, attempt int32) string {
		return fmt.Sprintf("/v1/notifications/%s/%s/%s/%d", namespace, name, uid, attempt)
	}
	return []forgery{
		{"no token", authorization(), refused},
		{"a bad token", authorization("Bearer " + strings.Repeat("A", 43)), refused},
		{"a token cut short", authorization(token[:len(token)-1]), refused},
		{"another job's token", authorization(other.header.Get("Authorization")), refused},
		{"two tokens", authorization(token, other.header.Get("Authorization")), refused},
		{"a replay for another job", elsewhere(other.path), refused},
		{"a replay for the next attempt", elsewhere(path(t.Namespace, t.Name, t.UID, t.Attempt+1)), refused},
		{"a replay in another namespace", elsewhere(path("default", t.Name, t.UID, t.Attempt)), refused},
		{"a replay under another UID", elsewhere(path(t.Namespace, t.Name, other.target.UID, t.Attempt)), refused},
		{"a replay with a zero in the path", elsewhere(genuine.path[:len(genuine.path)-1] + "0" + genuine.path[len(genuine.path)-1:]), unknown},
		{"a replay with two slashes", elsewhere("/" + genuine.path), unknown},
		{"a replay out of a folder", elsewhere("/v1/notifications/x/.." + strings.TrimPrefix(genuine.path, "/v1/notifications")), unknown},
		{"a replay with an escaped letter", elsewhere(strings.Replace(genuine.path, "/v1/notifications/", "/v1/notification%73/", 1)), unknown},
		{"two IDs", with(func(l *letter) { l.query += "&id=another1" }), []int{http.StatusBadRequest}},
		{"no ID", with(func(l *letter) { l.query = "status=success" }), []int{http.StatusBadRequest}},
		{"an ID that is a path", with(func(l *letter) { l.query = "status=success&id=" + url.QueryEscape("../../etc/passwd") }), []int{http.StatusBadRequest}},
		// Whoever has the token of a job may speak about it; but what it says about another remote job does not count.
		{"another job's ID", with(func(l *letter) { l.query = other.query }), []int{http.StatusNoContent}},
		{"the manager's listener at the public one", with(func(l *letter) { l.method = http.MethodGet }), []int{http.StatusMethodNotAllowed}},
	}
}

// impatientProvider is a system whose provider gives a notification up that is not answered within a second, and sends it again.
func impatientProvider(r *run) harness.SystemOptions {
	options := slowJobs(r)
	options.SimulatorArgs = append(options.SimulatorArgs, "--notify-timeout=1s")
	return options
}

// slowStore has the receivers stand still again and again, for longer than the provider waits, and the API server answer them late while they
// do not. So notifications are given up, and repeated, while they are being stored.
func (r *run) slowStore() {
	r.Helper()
	r.system.ReceiverAPI.Delay(200 * time.Millisecond)
	stops := 4
	if r.small {
		stops = 3
	}
	for range stops {
		r.create(r.few())
		r.untilAllSubmitted()
		r.wait(r.between(500*time.Millisecond, 3*time.Second)) // they take three
		for _, receiver := range r.system.Receivers {
			r.must(receiver.Stop())
		}
		r.wait(r.between(2*time.Second, 3*time.Second))
		for _, receiver := range r.system.Receivers {
			r.must(receiver.Continue())
		}
	}
	r.system.ReceiverAPI.Pass()
	if r.says(r.system.Simulator, "error=timeout") == 0 {
		r.Errorf("the provider has waited for no answer in vain")
	}
}

// acknowledgedLater matches what the provider says of a notification that was acknowledged when it was repeated.
var acknowledgedLater = regexp.MustCompile(`msg=notification .* attempt=[2-9] error=""`)

// checkRepeated: notifications that the provider had given up were acknowledged later.
func (r *run) checkRepeated(*facts) {
	r.Helper()
	log, err := r.system.Simulator.Log()
	r.must(err)
	if !acknowledgedLater.Match(log) {
		r.Errorf("no notification was acknowledged when it was repeated")
	}
}

// quotaName is the name of the ResourceQuota that lets nobody create ConfigMaps.
const quotaName = "full"

// useUpQuota allows no more ConfigMaps. Nobody counts them here, so that the count is written down.
func (r *run) useUpQuota() {
	r.Helper()
	none := corev1.ResourceList{"count/configmaps": resource.MustParse("0")}
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.system.Namespace, Name: quotaName},
		Spec:       corev1.ResourceQuotaSpec{Hard: none},
	}
	r.must(cluster.Client.Create(r.ctx, quota))
	quota.Status = corev1.ResourceQuotaStatus{Hard: none, Used: none}
	r.must(cluster.Client.Status().Update(r.ctx, quota))
}

func (r *run) liftQuota() {
	r.Helper()
	r.must(cluster.Client.Delete(r.ctx, &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: r.system.Namespace, Name: quotaName}}))
}
