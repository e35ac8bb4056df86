// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"io/fs"
	"os"
	"testing"
)

// sideFiles are the texts beside the recordings of the samples.
func sideFiles(t *testing.T) fs.FS {
	t.Helper()
	root, err := os.OpenRoot(mediaDir)
	check(t, err)
	t.Cleanup(func() { check(t, root.Close()) })
	return root.FS()
}
