// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

// profileSeconds is how long the processor is profiled, from the beginning of the load on.
const profileSeconds = 20

// profile takes profiles of manager and receiver, if they are wanted. What it returns waits for them.
func (b *bench) profile(ctx context.Context, system *harness.System) func() error {
	if !*profiles {
		return func() error { return nil }
	}
	ended := make(chan error)
	programs := []*harness.Program{system.Managers[0], system.Receivers[0]}
	for _, program := range programs {
		go func() {
			ended <- errors.Join(
				b.takeProfile(ctx, program, system.Namespace, fmt.Sprintf("profile?seconds=%d", profileSeconds), "cpu"),
				b.takeProfile(ctx, program, system.Namespace, "heap?gc=1", "heap"),
				b.takeProfile(ctx, program, system.Namespace, "allocs", "allocs"),
			)
		}()
	}
	return func() error {
		var all []error
		for range programs {
			all = append(all, <-ended)
		}
		return errors.Join(all...)
	}
}

// takeProfile writes a profile to RUN-PROGRAM-KIND.pprof in the folder of the output.
func (b *bench) takeProfile(ctx context.Context, program *harness.Program, run, query, kind string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, program.MetricsURL()[:len(program.MetricsURL())-len("/metrics")]+"/debug/pprof/"+query, http.NoBody)
	if err != nil {
		return err
	}
	response, err := (&http.Client{}).Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the %s profile of %s: %s", kind, program.Name(), response.Status)
	}
	if err := os.MkdirAll(*output, 0o750); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(*output, fmt.Sprintf("%s-%s-%s.pprof", run, program.Name(), kind)))
	if err != nil {
		return err
	}
	_, err = io.Copy(file, response.Body)
	return errors.Join(err, file.Close())
}
