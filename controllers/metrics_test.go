// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"k8s.io/utils/ptr"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	programmetrics "github.com/transcription-operator/transcription-operator/internal/metrics"
	"github.com/transcription-operator/transcription-operator/internal/testenv"
	"github.com/transcription-operator/transcription-operator/speechmatics/simulator"
)

// gather are the metrics of the world's manager.
func (w *world) gather() []*dto.MetricFamily {
	w.t.Helper()
	families, err := w.registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	return families
}

// samples are the values of a metric by its labels, as name=value separated by commas; of a histogram, how often it was observed.
func (w *world) samples(name string) map[string]float64 {
	w.t.Helper()
	values := map[string]float64{}
	for _, family := range w.gather() {
		if family.GetName() != programmetrics.Prefix+name {
			continue
		}
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetName()+"="+label.GetValue())
			}
			values[strings.Join(labels, ",")] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + float64(metric.GetHistogram().GetSampleCount())
		}
	}
	return values
}

// checkMetrics: whatever a story came to, its metrics are as they are documented.
func (w *world) checkMetrics() {
	w.t.Helper()
	described, err := DescribeMetrics()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, problem := range programmetrics.Undocumented(w.gather(), described) {
		w.t.Error(problem)
	}
}

// TestMetrics_lint holds the metrics to Prometheus' conventions.
func TestMetrics_lint(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	jobs := newCensus(nil)
	jobs.begin()
	m, err := newMetrics(registry, newRisks(), jobs, true)
	if err != nil {
		t.Fatal(err)
	}
	// What has labels is there only when it has something to tell.
	jobs.put(&v1alpha1.TranscriptionJob{})
	m.observeRequest(operationGet, nil)
	m.observeTurn(turnRequest, time.Second)
	m.observeAccount(&v1alpha1.SpeechmaticsAccount{}, true, v1alpha1.ReasonKeyRefused)
	m.observeEnding(newScope(&v1alpha1.TranscriptionJob{}, Options{}.withDefaults()), verdict{ending: completed, reason: v1alpha1.ReasonComplete})
	m.orphans.set("a", 1, 1)
	m.spending.submitted(&v1alpha1.TranscriptionJob{}, nil)
	m.spending.audio.WithLabelValues(m.spending.labels(&v1alpha1.TranscriptionJob{}, nil)...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(families), len(m.set.Descriptions()); got != want {
		t.Errorf("%d metrics are looked at, and there are %d", got, want)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Metric, problem.Text)
	}
}

// TestReasons_counted: the reasons that a job may have are those of the metrics.
func TestReasons_counted(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(reasonsOfJobs(t), slices.Sorted(slices.Values(slices.Concat(openReasons, finalReasons)))); diff != "" {
		t.Errorf("reasons of metrics (-constants +lists):\n%s", diff)
	}
}

// TestStory_counted follows two jobs, one of which needs two attempts, and one that is refused: the metrics tell what was spent, for whom, and
// how long it took, and the next manager does not count it again.
func TestStory_counted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withOptions(func(o *Options) { o.MetricsByNamespace = true }),
		withFaults(
			simulator.Fault{Kind: simulator.FaultExpire, Title: "twice", Count: 1},
			simulator.Fault{Kind: simulator.FaultNotificationLost, Title: "twice", Count: 1},
			simulator.Fault{Kind: simulator.FaultReject, Title: "refused", Message: "it is noise"}))
	w.account()
	titled := func(change ...func(*v1alpha1.TranscriptionJob)) func(*v1alpha1.TranscriptionJob) {
		return func(j *v1alpha1.TranscriptionJob) {
			j.Spec.Tracking = &v1alpha1.Tracking{Title: ptr.To(j.Name)}
			for _, c := range change {
				c(j)
			}
		}
	}
	enhanced := func(j *v1alpha1.TranscriptionJob) { j.Spec.Transcription.Model = ptr.To(v1alpha1.ModelEnhanced) }
	once, twice, refused := w.job("once", titled(enhanced)), w.job("twice", titled()), w.job("refused", titled())
	w.awaitReason(once, v1alpha1.ReasonComplete)
	w.awaitReason(twice, v1alpha1.ReasonComplete)
	w.awaitReason(refused, v1alpha1.ReasonRejected)
	if attempt := valueOf(twice.Status.Attempt); attempt != 2 {
		t.Fatalf("the job that was to need two attempts had %d", attempt)
	}

	labels := func(model string) string {
		return fmt.Sprintf("account=default,account_kind=SpeechmaticsAccount,account_namespace=%s,job_namespace=%s,model=%s", w.namespace, w.namespace, model)
	}
	want := map[string]float64{labels("enhanced"): 1, labels("default"): 3}
	if diff := cmp.Diff(want, w.samples("submissions_total")); diff != "" {
		t.Errorf("submissions (-want +got):\n%s", diff)
	}
	// What the provider has rejected is not charged for. Whether the attempt that expired was seen to be done before it did, is chance.
	audio := w.samples("audio_seconds_total")
	duration := once.Status.RemoteJob.AudioDuration.Seconds()
	if got := audio[labels("enhanced")]; got != duration {
		t.Errorf("%g s of audio are counted for a job of %g s", got, duration)
	}
	if got := audio[labels("default")]; got != duration && got != 2*duration {
		t.Errorf("%g s of audio are counted for a job of %g s with two attempts, the first of which has expired, and one that was rejected", got, duration)
	}
	if got := w.samples("job_submission_seconds")[""]; got != 3 {
		t.Errorf("%g first submissions are timed, want 3", got)
	}
	w.eventually("the jobs are counted", func() (bool, string) {
		diff := cmp.Diff(map[string]float64{"reason=Complete,state=complete": 2, "reason=Rejected,state=failed": 1}, existing(w.samples("jobs")))
		return diff == "", diff
	})
	finished := existing(w.samples("jobs_finished_total"))
	if diff := cmp.Diff(map[string]float64{"reason=Complete": 2, "reason=Rejected": 1}, finished); diff != "" {
		t.Errorf("finished (-want +got):\n%s", diff)
	}

	w.checkLog(once)
	w.restartManager()
	w.eventually("the next manager counts the jobs", func() (bool, string) {
		jobs := existing(w.samples("jobs"))
		return jobs["reason=Complete,state=complete"] == 2, fmt.Sprint(jobs)
	})
	w.delete(once)
	w.awaitGone(once)
	w.eventually("the deleted job is not counted any more", func() (bool, string) {
		jobs := existing(w.samples("jobs"))
		return jobs["reason=Complete,state=complete"] == 1, fmt.Sprint(jobs)
	})
	if again := w.counter("transcription_operator_submissions_total") + w.counter("transcription_operator_audio_seconds_total"); again != 0 {
		t.Errorf("the next manager has counted again what was spent before: %d", again)
	}
}

// checkLog: a person who looks for a job in the logs of both programs finds its way by its UID or by that of its remote job, with its account
// and the provider's request.
func (w *world) checkLog(job *v1alpha1.TranscriptionJob) {
	w.t.Helper()
	way := map[string][]string{ // the parts of each line, by what it begins with
		`"msg"="Submitted"`:              {`"account"="SpeechmaticsAccount/default"`, `"remoteJob"="` + *job.Status.RemoteJob.ID, `"requestID"="`, `"attempt"=1`},
		`"msg"="Now Running"`:            {`"account"="SpeechmaticsAccount/default"`, `"remoteJob"="` + *job.Status.RemoteJob.ID, `"attempt"=1`},
		`"msg"="Notification processed"`: {`"remoteJob"="` + *job.Status.RemoteJob.ID, `"result"="stored"`, `"outcome"="success"`},
		`"msg"="Now Complete"`:           {`"account"="SpeechmaticsAccount/default"`, `"remoteJob"="` + *job.Status.RemoteJob.ID, `"attempt"=1`},
	}
	for line := range strings.Lines(w.logs.String()) {
		if !strings.Contains(line, `"uid"="`+string(job.UID)) {
			continue
		}
		for message, parts := range way {
			if !strings.Contains(line, message) {
				continue
			}
			for _, part := range append(parts, `"uid"="`+string(job.UID), fmt.Sprintf(`"name"=%q`, job.Name), fmt.Sprintf(`"namespace"=%q`, job.Namespace)) {
				if !strings.Contains(line, part) {
					w.t.Errorf("the log does not tell %s:\n%s", part, line)
				}
			}
			if strings.Count(line, `"account"=`) > 1 {
				w.t.Errorf("the log tells the account twice:\n%s", line)
			}
			delete(way, message)
		}
	}
	for message := range way {
		w.t.Errorf("the log has no line %s of the job", message)
	}
}

// existing are the samples that are not 0.
func existing(samples map[string]float64) map[string]float64 {
	for labels, value := range samples {
		if value == 0 {
			delete(samples, labels)
		}
	}
	return samples
}

// TestCensus counts what comes, changes and goes, and tells it only while it leads.
func TestCensus(t *testing.T) {
	t.Parallel()
	condition := func(kind, reason string, status metav1.ConditionStatus) metav1.Condition {
		return metav1.Condition{Type: kind, Reason: reason, Status: status}
	}
	job := func(name string, change func(*v1alpha1.TranscriptionJob)) *v1alpha1.TranscriptionJob {
		j := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: name}}
		change(j)
		return j
	}
	fresh := job("fresh", func(*v1alpha1.TranscriptionJob) {})
	waiting := job("waiting", func(j *v1alpha1.TranscriptionJob) {
		j.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionReady, v1alpha1.ReasonWaiting, metav1.ConditionFalse)}
	})
	running := job("running", func(j *v1alpha1.TranscriptionJob) {
		j.Status.Attempt, j.Status.RemoteJob = ptr.To[int32](1), &v1alpha1.RemoteJob{ID: ptr.To("a")}
	})
	between := job("between", func(j *v1alpha1.TranscriptionJob) { // attempts
		j.Status.Attempt, j.Status.FailedAttempts, j.Status.RemoteJob = ptr.To[int32](1), ptr.To[int32](1), &v1alpha1.RemoteJob{ID: ptr.To("a")}
	})
	in := func(name, kind string) *v1alpha1.TranscriptionJob {
		return job(name, func(j *v1alpha1.TranscriptionJob) {
			j.Status.Conditions = []metav1.Condition{condition(kind, "", metav1.ConditionTrue)}
		})
	}
	deleting := in("deleting", v1alpha1.ConditionComplete)
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	failed := in("failed", v1alpha1.ConditionFailed)
	failed.Status.Conditions = append(failed.Status.Conditions, condition(v1alpha1.ConditionStalled, "", metav1.ConditionTrue))

	c := newCensus(nil)
	registry := prometheus.NewRegistry()
	registry.MustRegister(c)
	w := &world{t: t, registry: registry}
	for _, j := range []*v1alpha1.TranscriptionJob{
		fresh, waiting, running, between, deleting, failed, in("complete", v1alpha1.ConditionComplete), in("suspended", v1alpha1.ConditionSuspended), in("held", v1alpha1.ConditionStalled),
	} {
		c.put(j)
	}
	if got := w.samples("jobs"); len(got) > 0 {
		t.Errorf("a manager that does not lead tells %v", got)
	}
	c.begin()
	want := map[string]float64{
		"reason=,state=pending": 2, "reason=Waiting,state=pending": 1, "reason=,state=running": 1, "reason=,state=deleting": 1, "reason=,state=failed": 1,
		"reason=,state=complete": 1, "reason=,state=suspended": 1, "reason=,state=stalled": 1,
	}
	if diff := cmp.Diff(want, w.samples("jobs")); diff != "" {
		t.Errorf("jobs (-want +got):\n%s", diff)
	}

	c.put(waiting)                                                     // the cache tells of everything now and then
	c.put(in("fresh", v1alpha1.ConditionComplete))                     // it has changed
	c.remove(toolscache.DeletedFinalStateUnknown{Obj: failed})         // it went unseen
	c.remove(toolscache.DeletedFinalStateUnknown{Key: "a/never-seen"}) // nothing is known of it
	c.remove(running)
	c.remove(running)
	want["reason=,state=pending"], want["reason=,state=complete"], want["reason=,state=failed"], want["reason=,state=running"] = 1, 2, 0, 0
	if diff := cmp.Diff(want, w.samples("jobs")); diff != "" {
		t.Errorf("jobs after changes (-want +got):\n%s", diff)
	}
}

// TestSpending_done: audio is counted once, when it is known and done.
func TestSpending_done(t *testing.T) {
	t.Parallel()
	status := func(state v1alpha1.RemoteState, seconds int) *v1alpha1.TranscriptionJobStatus {
		remote := &v1alpha1.RemoteJob{State: ptr.To(state)}
		if seconds > 0 {
			remote.AudioDuration = &metav1.Duration{Duration: time.Duration(seconds) * time.Second}
		}
		return &v1alpha1.TranscriptionJobStatus{RemoteJob: remote}
	}
	registry := prometheus.NewRegistry()
	sp := newSpending(programmetrics.NewSet(registry), false)
	w := &world{t: t, registry: registry}
	before := &v1alpha1.TranscriptionJobStatus{}
	for i, step := range []struct {
		now  *v1alpha1.TranscriptionJobStatus
		want float64
	}{
		{status(v1alpha1.RemoteRunning, 0), 0},
		{status(v1alpha1.RemoteRunning, 30), 0},
		{status(v1alpha1.RemoteDone, 0), 0},
		{status(v1alpha1.RemoteDone, 30), 30},
		{status(v1alpha1.RemoteDone, 30), 30},
		{status("expired", 30), 30},
		{&v1alpha1.TranscriptionJobStatus{RemoteJob: &v1alpha1.RemoteJob{}}, 30}, // the next attempt
		{status(v1alpha1.RemoteDone, 30), 60},
		{status("rejected", 30), 60},
	} {
		sp.done(&v1alpha1.TranscriptionJob{Status: *step.now}, before)
		before = step.now
		got := 0.0
		for _, value := range w.samples("audio_seconds_total") {
			got += value
		}
		if got != step.want {
			t.Errorf("after step %d, %g s are counted, want %g", i, got, step.want)
		}
	}
}

// TestMetrics_forgetAccount forgets the counts of the account that is gone, and no other's.
func TestMetrics_forgetAccount(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m, err := newMetrics(registry, newRisks(), newCensus(nil), false)
	if err != nil {
		t.Fatal(err)
	}
	sp := m.spending
	job := &v1alpha1.TranscriptionJob{ObjectMeta: metav1.ObjectMeta{Namespace: "a"}}
	for _, kind := range []v1alpha1.AccountKind{v1alpha1.NamespacedAccount, v1alpha1.ClusterAccount} {
		for _, name := range []string{"one", "two"} {
			sp.submitted(job, &v1alpha1.ResolvedAccountReference{Kind: kind, Name: name})
		}
	}
	m.forgetAccount(v1alpha1.NamespacedAccount, "a", "one")
	m.forgetAccount(v1alpha1.NamespacedAccount, "b", "two")
	m.forgetAccount(v1alpha1.ClusterAccount, "", "two")
	want := map[string]float64{
		"account=two,account_kind=SpeechmaticsAccount,account_namespace=a,job_namespace=,model=default":       1,
		"account=one,account_kind=ClusterSpeechmaticsAccount,account_namespace=,job_namespace=,model=default": 1,
	}
	if diff := cmp.Diff(want, (&world{t: t, registry: registry}).samples("submissions_total")); diff != "" {
		t.Errorf("submissions (-want +got):\n%s", diff)
	}
}

// TestMetrics_held: an account has one reason at a time, its counts begin with 0, and there is nothing of it when it is gone.
func TestMetrics_held(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m, err := newMetrics(registry, newRisks(), newCensus(nil), false)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, registry: registry}
	account := &v1alpha1.SpeechmaticsAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "b"}}
	for _, step := range []struct {
		held   bool
		reason string
		want   float64
	}{
		{false, v1alpha1.ReasonSubmissionsAccepted, 0}, {true, v1alpha1.ReasonKeyRefused, 1}, {true, v1alpha1.ReasonSuspended, 1}, {false, v1alpha1.ReasonSubmissionsAccepted, 0},
	} {
		m.observeAccount(account, step.held, step.reason)
		want := map[string]float64{"account=b,account_kind=SpeechmaticsAccount,account_namespace=a,reason=" + step.reason: step.want}
		if diff := cmp.Diff(want, w.samples("account_submissions_held")); diff != "" {
			t.Errorf("held (-want +got):\n%s", diff)
		}
	}
	for _, name := range []string{"submissions_total", "audio_seconds_total"} {
		if got := len(w.samples(name)); got != len(labelModel.Values) {
			t.Errorf("%d counters of %s begin with 0, want one for each model", got, name)
		}
	}
	m.forgetAccount(v1alpha1.NamespacedAccount, "a", "b")
	for _, name := range []string{"account_submissions_held", "submissions_total", "audio_seconds_total"} {
		if got := w.samples(name); len(got) > 0 {
			t.Errorf("the account is gone, and %s tells %v", name, got)
		}
	}
}

// TestModelOf: spec.providerConfig counts most, as in what is submitted, and the label stays bounded.
func TestModelOf(t *testing.T) {
	t.Parallel()
	enhanced, standard := ptr.To(v1alpha1.ModelEnhanced), ptr.To(v1alpha1.ModelStandard)
	for _, c := range []struct {
		model, point *v1alpha1.Model
		config       string
		want         string
	}{
		{nil, nil, "", "default"},
		{enhanced, nil, "", "enhanced"},
		{nil, enhanced, "", "enhanced"},
		{nil, nil, `{"transcription_config":{"operating_point":"enhanced"}}`, "enhanced"},
		{standard, nil, `{"transcription_config":{"model":"enhanced"}}`, "enhanced"},
		{enhanced, nil, `{"transcription_config":{"model":null}}`, "default"},
		{enhanced, nil, `{"transcription_config":{"domain":"medical"}}`, "enhanced"},
		{enhanced, nil, `{"transcription_config":null}`, "enhanced"},
		{enhanced, nil, `[]`, "enhanced"},
		{nil, nil, `{"transcription_config":{"model":"whatever-9"}}`, "other"},
		{nil, nil, `{"transcription_config":{"model":9}}`, "default"},
	} {
		spec := &v1alpha1.TranscriptionJobSpec{Transcription: v1alpha1.TranscriptionConfig{Model: c.model, OperatingPoint: c.point}}
		if c.config != "" {
			spec.ProviderConfig = &apiextensionsv1.JSON{Raw: []byte(c.config)}
		}
		if got := modelOf(spec); got != c.want {
			t.Errorf("%v, %v, %s: the model is %s, want %s", valueOf(c.model), valueOf(c.point), c.config, got, c.want)
		}
	}
}

// TestSpending_documented asks the objects, and the provider, what was spent, as docs/observability.md says, and holds that against what was counted.
func TestSpending_documented(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withFaults(simulator.Fault{Kind: simulator.FaultReject, Title: "rejected", Message: "it is noise"}))
	w.account()
	done, rejected := w.job("done"), w.job("rejected", titled)
	waiting := w.job("waiting", func(j *v1alpha1.TranscriptionJob) { j.Spec.AccountRef = &v1alpha1.AccountReference{Name: "nobody"} })
	w.awaitReason(done, v1alpha1.ReasonComplete)
	w.awaitReason(rejected, v1alpha1.ReasonRejected)
	w.awaitReason(waiting, v1alpha1.ReasonAccountNotFound)
	var objects, bill strings.Builder
	env.Shell(t, w.namespace, testenv.DocumentedBlock(t, "docs/observability.md", ".status.remoteJob.audioDuration"), &objects)
	counted := map[string]float64{}
	for _, name := range []string{"submissions_total", "audio_seconds_total"} {
		for _, value := range w.samples(name) {
			counted[name] += value
		}
	}
	want := fmt.Sprintf("%s/default\t2 jobs\t%.0f attempts\t%.4f h", w.namespace, counted["submissions_total"], counted["audio_seconds_total"]/3600)
	if said := strings.Split(strings.TrimSpace(objects.String()), "\n"); !slices.Contains(said, want) || counted["audio_seconds_total"] == 0 {
		t.Errorf("the objects say\n%s\nwant %q", &objects, want)
	}
	env.Shell(t, w.namespace, testenv.DocumentedBlock(t, "docs/observability.md", "/usage?"), &bill)
	if !strings.Contains(bill.String(), `"summary":`) {
		t.Errorf("the provider says %s", &bill)
	}
}
