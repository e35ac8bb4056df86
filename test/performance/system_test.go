// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
	"github.com/transcription-operator/transcription-operator/test/harness"
)

const (
	// unlimited is for what the account's limits are set to: the most that they can be.
	unlimitedRate    = 10_000
	unlimitedRunning = 1_000_000
	// pollInterval is the default of the manager.
	pollInterval = 30 * time.Second
)

// recording is the media of every job.
const recording = "recording.wav"

// startSystem starts a system with a manager and a receiver, as they are when they are installed but for what the inputs say.
func (b *bench) startSystem(ctx context.Context, in inputs, change ...func(*harness.SystemOptions)) (*harness.System, error) {
	options := harness.SystemOptions{
		Name: b.name(), Direct: true, Unnotified: in.Unnotified,
		Timings: harness.Timings{
			SubmissionWindow: time.Minute, ListLag: time.Minute, ClockSkew: 10 * time.Second, ProviderClockSkew: 10 * time.Minute,
			SecretInterval: 5 * time.Minute, RetryInterval: 10 * time.Second, PollInterval: pollInterval,
			LeaseDuration: 15 * time.Second, RenewDeadline: 10 * time.Second, RetryPeriod: 2 * time.Second,
		},
		ManagerArgs: []string{"--zap-log-level=info"}, ReceiverArgs: []string{"--zap-log-level=info"},
		SimulatorArgs: []string{"--log-level=warn", "--speed=1", "--processing-base=" + in.Processing.Duration.String(), "--remember-transcripts=false"},
	}
	if in.Unnotified {
		options.Timings.PollInterval = 5 * time.Second
	}
	if !in.Limited {
		options.SimulatorArgs = append(options.SimulatorArgs, "--submissions-per-second=-1", "--reads-per-second=-1", "--running-jobs=-1")
		options.Limits = &v1alpha1.AccountLimits{
			RunningJobs: ptr.To[int32](unlimitedRunning), SubmissionsPerSecond: ptr.To[int32](unlimitedRate), RequestsPerSecond: ptr.To[int32](unlimitedRate),
		}
	}
	for _, change := range change {
		change(&options)
	}
	system, err := b.cluster.StartSystem(ctx, options)
	if err != nil {
		return nil, err
	}
	words := filepath.Join(system.Media, strings.TrimSuffix(recording, ".wav")+".txt")
	err = errors.Join(
		os.WriteFile(filepath.Join(system.Media, recording), silence(), 0o600),
		os.WriteFile(words, []byte(strings.Repeat("This is what was said. ", 100)), 0o600),
	)
	if err == nil && !options.Unmanaged {
		err = b.awaitAccount(ctx, system)
	}
	if err != nil {
		return nil, errors.Join(err, system.Close())
	}
	return system, nil
}

// awaitAccount waits until the account's key was tried: jobs that are created before wait for that.
func (b *bench) awaitAccount(ctx context.Context, system *harness.System) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		account := &v1alpha1.SpeechmaticsAccount{}
		err := b.cluster.Client.Get(ctx, client.ObjectKey{Namespace: system.Namespace, Name: v1alpha1.DefaultAccountName}, account)
		if err == nil && meta.IsStatusConditionTrue(account.Status.Conditions, v1alpha1.ConditionReady) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the account does not become ready"), err, ctx.Err())
		case <-ticker.C:
		}
	}
}

func jobName(index int) string { return fmt.Sprintf("job-%06d", index) }

// newJob is a job that asks for a text.
func newJob(system *harness.System, index int, in inputs) *v1alpha1.TranscriptionJob {
	job := &v1alpha1.TranscriptionJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: system.Namespace, Name: jobName(index)},
		Spec: v1alpha1.TranscriptionJobSpec{
			Media:         v1alpha1.MediaSource{URL: ptr.To(system.MediaURL(recording))},
			Transcription: v1alpha1.TranscriptionConfig{Language: "en"},
			Transcripts:   v1alpha1.TranscriptsSpec{Formats: []v1alpha1.TranscriptFormat{v1alpha1.FormatText}},
		},
	}
	if in.Volume {
		job.Spec.Transcripts.PersistentVolumeClaim = &v1alpha1.PersistentVolumeClaimStore{ClaimName: harness.VolumeClaim}
	}
	return job
}

// jobsPath is where a system's jobs are watched.
func jobsPath(system *harness.System) string {
	return fmt.Sprintf("/apis/%s/namespaces/%s/transcriptionjobs", v1alpha1.GroupVersion, system.Namespace)
}

// silence is a recording of a fifth of a second.
func silence() []byte {
	const rate = 8000
	samples := bytes.Repeat([]byte{0x80}, rate/5)
	var wav bytes.Buffer
	write := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&wav, binary.LittleEndian, v) // to memory
		}
	}
	wav.WriteString("RIFF")
	write(uint32(36 + len(samples)))
	wav.WriteString("WAVEfmt ")
	write(uint32(16), uint16(1), uint16(1), uint32(rate), uint32(rate), uint16(1), uint16(8))
	wav.WriteString("data")
	write(uint32(len(samples)))
	wav.Write(samples)
	return wav.Bytes()
}
