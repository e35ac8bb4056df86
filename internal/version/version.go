// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package version says which build of the project is running.
package version

import (
	"runtime/debug"
)

// Version is what the Makefile stamps with -ldflags (git describe); empty in every other build.
var Version = ""

// String returns the version of this build: the stamped one, else the module version or commit that the go command
// recorded, else "unknown". It is meant for logs, metrics and the User-Agent header; it is not comparable.
func String() string {
	info, _ := debug.ReadBuildInfo()
	return describe(Version, info)
}

func describe(stamped string, info *debug.BuildInfo) string {
	switch {
	case stamped != "":
		return stamped
	case info == nil:
		return "unknown"
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version // go install …@v1.2.3, or go build in a git checkout
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && setting.Value != "" {
			return setting.Value
		}
	}
	return "unknown"
}
