// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/transcription-operator/transcription-operator/test/harness"
)

// clockTick is the unit of times in /proc/PID/stat: USER_HZ, which is 100 on every platform of Linux that Go has.
const clockTick = 10 * time.Millisecond

// cpuOf is the processor time that a program has used in its present run.
func cpuOf(program *harness.Program) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", program.PID()))
	if err != nil {
		return 0, err
	}
	return parseCPU(string(stat))
}

// parseCPU reads /proc/PID/stat. The second field is the name in parentheses, and may have spaces; utime and stime are the 14th and 15th.
func parseCPU(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/PID/stat has %d fields", len(fields))
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/PID/stat: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

var (
	peakLine    = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)
	presentLine = regexp.MustCompile(`(?m)^VmRSS:\s+(\d+) kB$`)
)

// memoryOf is a program's resident memory in megabytes: the most that it was in its present run, or what it is now.
func memoryOf(program *harness.Program, line *regexp.Regexp) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", program.PID()))
	if err != nil {
		return 0, err
	}
	found := line.FindSubmatch(status)
	if found == nil {
		return 0, fmt.Errorf("/proc/PID/status does not tell the resident memory")
	}
	kilobytes, err := strconv.ParseFloat(string(found[1]), 64)
	return kilobytes / 1000 * 1.024, err
}
