// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// question is a row of the table in the package documentation.
type question struct{ about, setting, values, standard string }

// questionsOf reads the table.
func questionsOf(t *testing.T) []question {
	t.Helper()
	source, err := os.ReadFile("doc.go")
	check(t, err)
	var rows []question
	for line := range strings.Lines(string(source)) {
		cells := strings.Split(strings.TrimPrefix(strings.TrimSpace(line), "//\t"), "|")
		if len(cells) != 4 {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] != "question" {
			rows = append(rows, question{cells[0], cells[1], cells[2], cells[3]})
		}
	}
	return rows
}

// openQuestions are those to which nobody has found a public answer, each with a switch that answers it.
var openQuestions = map[string]string{
	"the longest wait":                         "Limits.MaxWait",
	"a notification's timeout":                 "Limits.NotifyTimeout",
	"a notification's attempts":                "notificationAttempts",
	"a notification's redirects":               "followNotificationRedirects",
	"part names":                               "partNames",
	"part file names":                          "partFileNames",
	"the layout of jobinfo":                    "jobInfo",
	"the body on failure for a single content": "failureNotifications",
	"whether DELETE triggers a notification":   "notifyDeletion",
	"when invalid audio is refused":            "rejectInvalidAudioAtSubmission",
	"the status code for invalid audio":        "invalidAudioStatus",
	"the status code for more than 1 GB":       "tooLargeStatus",
	"the status code for exhausted credit":     "noCreditStatus",
	"the presence of Retry-After":              "retryAfter",
	"GET after DELETE":                         "deletedJob",
	"inclusive or exclusive created_before":    "createdBeforeInclusive",
	"the delay of lists":                       "listLag",
	"the limit of tracking":                    "Limits.TrackingBytes",
	"the limit of config":                      "Limits.ConfigBytes",
	"the size of fetches":                      "Limits.FetchBytes",
	"the timeout of fetches":                   "Limits.FetchTimeout",
	"the redirects of fetches":                 "followFetchRedirects",
	"which codes of fetches are tried again":   "fetchGivesUpAtOnce",
	"whether unknown config keys are rejected": "allowUnknownConfigKeys",
	"default labels of channels":               "channelLabels",
	"labels of channels in txt":                "textChannels",
	"labels of channels in srt":                "srtSpeakers",
	"wait on premises":                         "onPremisesWait",
}

// TestEveryQuestionHasASwitch walks the table: nothing is missing in it, nothing is there twice, and what it says
// of values and defaults is true.
func TestEveryQuestionHasASwitch(t *testing.T) {
	table := map[string]question{}
	for _, row := range questionsOf(t) {
		if _, twice := table[row.setting]; twice || row.about == "" {
			t.Errorf("%s: twice, or without a question", row.setting)
		}
		table[row.setting] = row
		if name, isLimit := strings.CutPrefix(row.setting, "Limits."); isLimit {
			checkLimit(t, name, row)
		} else {
			checkSwitch(t, row)
		}
	}
	for field := range reflect.TypeFor[Behaviour]().Fields() {
		if name := jsonName(field); table[name].setting == "" {
			t.Errorf("%s is not in the table", name)
		}
	}
	for about, setting := range openQuestions {
		if table[setting].setting == "" {
			t.Errorf("%s: the table has no %s", about, setting)
		}
	}
}

func jsonName(field reflect.StructField) string {
	name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
	return name
}

func checkLimit(t *testing.T, name string, row question) {
	t.Helper()
	field := reflect.ValueOf(Limits{}.withDefaults()).FieldByName(name)
	if !field.IsValid() || fmt.Sprint(field.Interface()) != row.standard {
		t.Errorf("Limits.%s: %v, the table says %s", name, field, row.standard)
	}
}

func checkSwitch(t *testing.T, row question) {
	t.Helper()
	defaults := reflect.ValueOf(Behaviour{}.withDefaults())
	for i := range defaults.NumField() {
		if jsonName(defaults.Type().Field(i)) != row.setting {
			continue
		}
		value := defaults.Field(i).Interface()
		if d, isDuration := value.(Duration); isDuration {
			value = time.Duration(d)
		}
		if fmt.Sprint(value) != row.standard {
			t.Errorf("%s: the default is %v, the table says %s", row.setting, value, row.standard)
		}
		if row.values != "any" {
			checkValues(t, row)
		}
		return
	}
	t.Errorf("%s is in the table, but no switch", row.setting)
}

// checkValues sets each value that the table has, and one that it has not.
func checkValues(t *testing.T, row question) {
	t.Helper()
	values := strings.Split(row.values, ", ")
	standard := false
	for _, value := range values {
		b, err := ParseBehaviour(row.setting + "=" + value)
		if err != nil {
			t.Errorf("%s: %v", row.setting, err)
		}
		encoded, err := json.Marshal(b.withDefaults())
		check(t, err)
		if value != "false" && !strings.Contains(string(encoded), fmt.Sprintf("%q:%s", row.setting, value)) &&
			!strings.Contains(string(encoded), fmt.Sprintf("%q:%q", row.setting, value)) {
			t.Errorf("%s=%s is not kept: %s", row.setting, value, encoded)
		}
		standard = standard || value == row.standard
	}
	if !standard {
		t.Errorf("%s: the default is none of the values", row.setting)
	}
	for _, value := range []string{"none-of-these", "299"} {
		if b, err := ParseBehaviour(row.setting + "=" + value); err == nil {
			t.Errorf("%s=%s: %+v", row.setting, value, b)
		}
	}
}
