// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package version

import (
	"runtime/debug"
	"testing"
)

func TestDescribe(t *testing.T) {
	revision := []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: "0123abc"}}
	tests := map[string]struct {
		stamped string
		info    *debug.BuildInfo
		want    string
	}{
		"stamped":                {stamped: "v1.2.3", info: &debug.BuildInfo{Main: debug.Module{Version: "v9.9.9"}}, want: "v1.2.3"},
		"installed as a module":  {info: &debug.BuildInfo{Main: debug.Module{Version: "v1.2.3"}, Settings: revision}, want: "v1.2.3"},
		"built from a checkout":  {info: &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}, Settings: revision}, want: "0123abc"},
		"built without a commit": {info: &debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, want: "unknown"},
		"no build information":   {want: "unknown"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := describe(tt.stamped, tt.info); got != tt.want {
				t.Errorf("describe() = %q, want %q", got, tt.want)
			}
		})
	}
}
