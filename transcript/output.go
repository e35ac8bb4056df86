// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"bufio"
	"io"
)

// output is a buffered writer. Its first error stays with it, so that only flush need return it.
type output struct{ w *bufio.Writer }

func newOutput(w io.Writer) output { return output{w: bufio.NewWriter(w)} }

func (o output) print(texts ...string) {
	for _, text := range texts {
		_, _ = o.w.WriteString(text)
	}
}

func (o output) flush() error { return o.w.Flush() }
