// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package transcript

import (
	"fmt"
	"testing"
)

// Turns end within a sentence, and between the sentences of one who talks on while another says something.
func TestText_turns(t *testing.T) {
	word := func(content, speaker, channel string, start, end float64) string {
		return fmt.Sprintf(`{"type":"word","alternatives":[{"content":%q,"speaker":%q}],"channel":%q,"start_time":%v,"end_time":%v}`, content, speaker, channel, start, end)
	}
	stop := func(channel string, at float64) string {
		return fmt.Sprintf(`{"type":"punctuation","alternatives":[{"content":"."}],"channel":%q,"is_eos":true,"start_time":%v,"end_time":%v}`, channel, at, at)
	}
	for name, test := range map[string]struct{ results, want string }{
		"within a sentence": {word("so", "S1", "", 0, 1) + "," + word("no", "S2", "", 1, 2), "SPEAKER: S1\nso\nSPEAKER: S2\nno\n"},
		"between sentences": {
			word("one", "", "a", 0, 1) + "," + stop("a", 1) + "," + word("hm", "", "b", 1.2, 1.4) + "," + word("two", "", "a", 1.5, 2) + "," + stop("a", 2),
			"SPEAKER: a\none.\nSPEAKER: b\nhm\nSPEAKER: a\ntwo.\n",
		},
	} {
		if got := render(t, "txt", []byte(`{"results":[`+test.results+`]}`), Options{}); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
