// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// textOf is a folder with one side file.
func textOf(stem, text string) fs.FS { return fstest.MapFS{stem + ".txt": {Data: []byte(text)}} }

const dialogue = "S1: Hello, you!\nS2: Hi there.\nHow are you?\nS1: Fine."

// transcribe uploads two seconds of silence, for which a side file has words.
func transcribe(t *testing.T, script, config, format string) string {
	t.Helper()
	a := start(t, Options{Transcripts: textOf("talk", script)})
	id := a.submit(config, "talk.wav", wav(2*time.Second))
	a.finished(id)
	got := a.get("/v2/jobs/" + id + "/transcript?format=" + format)
	if got.status != 200 {
		t.Fatalf("%v", got)
	}
	return got.body
}

func TestTextFormat(t *testing.T) {
	for name, test := range map[string]struct{ config, want string }{
		"plain":    {plainConfig, "Hello, you! Hi there. How are you? Fine.\n"},
		"speakers": {with("", `"diarization":"speaker"`), "SPEAKER: S1\nHello, you!\nSPEAKER: S2\nHi there. How are you?\nSPEAKER: S1\nFine.\n"},
		"channels of a mono recording": {
			with("", `"diarization":"channel"`), "SPEAKER: channel_1\nHello, you! Hi there. How are you? Fine.\n",
		},
		"labelled channels": {
			with("", `"diarization":"channel","channel_diarization_labels":["agent"]`), "SPEAKER: agent\nHello, you! Hi there. How are you? Fine.\n",
		},
		"no punctuation":   {with("", `"punctuation_overrides":{"permitted_marks":[]}`), "Hello you Hi there How are you Fine\n"},
		"some punctuation": {with("", `"punctuation_overrides":{"permitted_marks":["?"]}`), "Hello you Hi there How are you? Fine\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := transcribe(t, dialogue, test.config, "txt"); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

func TestSRTFormat(t *testing.T) {
	script := "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen. Short."
	got := transcribe(t, script, plainConfig, "srt")
	want := `1
-->
One two three four five six seven
eight nine ten eleven twelve thirteen

2
-->
fourteen fifteen sixteen.

3
-->
Short.
`
	if diff := cmp.Diff(want, shape(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for line := range strings.Lines(transcribe(t, script, with(`"output_config":{"srt_overrides":{"max_line_length":15,"max_lines":1}}`, ""), "srt")) {
		if n := len(strings.TrimSpace(line)); n > 15 && !strings.Contains(line, "-->") {
			t.Errorf("%d characters: %s", n, line)
		}
	}
}

// shape is a text without its times, which depend on the recording's length.
func shape(srt string) string {
	var lines []string
	for line := range strings.Lines(srt) {
		if strings.Contains(line, "-->") {
			line = "-->\n"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "")
}

func TestSRTTime(t *testing.T) {
	for seconds, want := range map[float64]string{0: "00:00:00,000", 61.01: "00:01:01,010", 36000.999: "10:00:00,999"} {
		if got := srtTime(seconds); got != want {
			t.Errorf("%v: %s, want %s", seconds, got, want)
		}
	}
}

func TestJSONFormat(t *testing.T) {
	config := with(`"tracking":{"reference":"r"}`, `"diarization":"speaker","speaker_diarization_config":{"get_speakers":true}`)
	var got struct {
		Format   string         `json:"format"`
		Job      map[string]any `json:"job"`
		Metadata map[string]any `json:"metadata"`
		Results  []struct {
			Alternatives []struct {
				Content    string  `json:"content"`
				Language   string  `json:"language"`
				Speaker    string  `json:"speaker"`
				Confidence float64 `json:"confidence"`
			} `json:"alternatives"`
			AttachesTo string   `json:"attaches_to"`
			IsEOS      *bool    `json:"is_eos"`
			StartTime  *float64 `json:"start_time"`
			EndTime    *float64 `json:"end_time"`
			Type       string   `json:"type"`
		} `json:"results"`
		Speakers []map[string]any `json:"speakers"`
	}
	check(t, json.Unmarshal([]byte(transcribe(t, dialogue, config, "json-v2")), &got))
	if got.Format != "2.9" || got.Job["duration"] != 2.0 || got.Job["data_name"] != "talk.wav" || got.Job["tracking"] == nil {
		t.Errorf("%s %v", got.Format, got.Job)
	}
	if got.Metadata["type"] != "transcription" || got.Metadata["orchestrator_version"] != "speechmatics-simulator" ||
		got.Metadata["transcription_config"].(map[string]any)["diarization"] != "speaker" {
		t.Errorf("%v", got.Metadata)
	}
	if len(got.Speakers) != 2 {
		t.Errorf("speakers: %v", got.Speakers)
	}
	var told []string
	at := 0.0
	for _, r := range got.Results {
		a := r.Alternatives[0]
		told = append(told, fmt.Sprintf("%s %s %s %s", r.Type, a.Content, a.Speaker, r.AttachesTo))
		if *r.StartTime < at || *r.EndTime < *r.StartTime || *r.EndTime > 2 || a.Confidence <= 0 || a.Confidence > 1 || a.Language != "en" {
			t.Errorf("%+v", r)
		}
		if (r.Type == "punctuation") != (r.IsEOS != nil) || (r.IsEOS != nil && *r.IsEOS != (a.Content != ",")) {
			t.Errorf("is_eos of %+v", r)
		}
		at = *r.EndTime
	}
	want := []string{
		"word Hello S1 ", "punctuation , S1 previous", "word you S1 ", "punctuation ! S1 previous",
		"word Hi S2 ", "word there S2 ", "punctuation . S2 previous",
		"word How S2 ", "word are S2 ", "word you S2 ", "punctuation ? S2 previous",
		"word Fine S1 ", "punctuation . S1 previous",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if at < 1.5 {
		t.Errorf("the words end after %v s of 2", at)
	}
}

// TestShapeOfJSON compares the members with those of a public sample, where the team's copy is at hand.
func TestShapeOfJSON(t *testing.T) {
	folder := os.Getenv("TRANSCRIPTION_OPERATOR_SPEECHMATICS_DOCS")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "shared", "speechmatics")
	}
	sample := filepath.Join(folder, "samples", "transcript-json-v2-2.9.json")
	sampled, err := os.ReadFile(sample)
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("TRANSCRIPTION_OPERATOR_SPEECHMATICS_DOCS") == "" {
		t.Skipf("there is no %s; TRANSCRIPTION_OPERATOR_SPEECHMATICS_DOCS names another folder", sample)
	}
	check(t, err)
	var theirs, ours any
	check(t, json.Unmarshal(sampled, &theirs))
	check(t, json.Unmarshal([]byte(transcribe(t, "Hello, you.", with("", `"model":"enhanced"`), "json-v2")), &ours))
	members := map[string]bool{}
	collect(theirs, "", members)
	found := map[string]bool{}
	collect(ours, "", found)
	if diff := cmp.Diff(members, found); diff != "" {
		t.Errorf("members (-theirs +ours):\n%s", diff)
	}
}

// collect notes the paths of all members, with the types of their values.
func collect(value any, path string, into map[string]bool) {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			collect(member, path+"."+key, into)
		}
	case []any:
		for _, item := range value {
			collect(item, path+"[]", into)
		}
	default:
		into[fmt.Sprintf("%s %T", path, value)] = true
	}
}

func TestFiller(t *testing.T) {
	a := start(t, Options{})
	id := a.submit(plainConfig, "a.wav", wav(6*time.Second))
	a.finished(id)
	got := a.get("/v2/jobs/" + id + "/transcript?format=txt").body
	want := "word1 word2 word3 word4 word5 word6 word7 word8 word9 word10 word11 word12. word13 word14 word15.\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if n := fillerLength(maxLength); n != maxFiller {
		t.Errorf("%d words of filler", n)
	}
}

func TestScriptsAreFound(t *testing.T) {
	media := wav(time.Second)
	store := mediaStore{parent: t.TempDir(), budget: -1}
	file, err := store.spool(strings.NewReader(string(media)), -1)
	check(t, err)
	folder := fstest.MapFS{
		"talk.txt":           {Data: []byte("by name")},
		file.sha256 + ".txt": {Data: []byte("by content")},
		"latin1.txt":         {Data: []byte("caf\xe9")},
		"large.txt":          {Data: make([]byte, maxScriptBytes+1)},
		"folder.txt/x":       {Data: []byte("not this")},
	}
	a := start(t, Options{Transcripts: folder})
	for name, want := range map[string]string{
		"talk.mp3":          "by name\n",
		"other.wav":         "by content\n",
		"../../talk.mp3":    "by name\n", // only the last element counts
		"latin1.wav":        "by content\n",
		"large.wav":         "by content\n",
		"folder.wav":        "by content\n",
		"..":                "by content\n",
		".wav":              "by content\n",
		"C:\\\\x\\talk.wav": "by name\n",
	} {
		id := a.submit(plainConfig, name, media)
		a.finished(id)
		if got := a.get("/v2/jobs/" + id + "/transcript?format=txt").body; got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
