// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

const (
	maxNotifications = 3
	maxListItems     = 10_000 // where nothing is documented
)

// The types of a job.
const (
	jobTranscription = "transcription"
	jobAlignment     = "alignment"
)

// topLevelKeys are the keys that a configuration may have.
var topLevelKeys = []string{
	"type", "fetch_data", "fetch_text", "transcription_config", "alignment_config", "notification_config", "tracking",
	"output_config", "translation_config", "language_identification_config", "summarization_config",
	"sentiment_analysis_config", "topic_detection_config", "auto_chapters_config", "audio_events_config",
}

var notificationContents = strings.Fields("jobinfo transcript transcript.json-v2 transcript.txt transcript.srt data text " +
	"alignment alignment.word_start_and_end alignment.one_per_line")

// read checks the configuration section by section, and takes what the simulator uses.
func (c *jobConfig) read(root object, b Behaviour) (err error) {
	if err := c.readType(root, b); err != nil {
		return err
	}
	if c.fetch, err = readSource(root, "fetch_data"); err != nil {
		return err
	}
	if c.fetchText, err = readSource(root, "fetch_text"); err != nil {
		return err
	}
	sections := []func(object) error{c.readNotifications, c.readTracking}
	if c.kind == jobAlignment {
		sections = append(sections, c.readAlignment)
	} else {
		sections = append(sections, c.readTranscription, c.readOutput, c.readFeatures)
	}
	for _, section := range sections {
		if err := section(root); err != nil {
			return err
		}
	}
	if c.modelTwice && !b.AllowModelAndOperatingPoint {
		return invalidf("model and operating_point must not be set together")
	}
	if c.model == melia && !b.IgnoreMeliaLimits {
		return c.checkMelia(root)
	}
	return nil
}

func (c *jobConfig) readType(root object, b Behaviour) (err error) {
	if c.kind, err = root.enum("type", jobTranscription, jobAlignment); err != nil {
		return err
	}
	if c.kind == "" {
		return invalidf("type is required")
	}
	for key := range root.fields {
		if !b.AllowUnknownConfigKeys && !slices.Contains(topLevelKeys, key) {
			return invalidf("unknown field %q", key)
		}
		c.sections = append(c.sections, key)
	}
	return nil
}

// readAlignment reads alignment_config. The language is the only thing in it.
func (c *jobConfig) readAlignment(root object) error {
	o, there, err := root.object("alignment_config")
	if err != nil {
		return err
	}
	if !there {
		return invalidf("alignment_config is required")
	}
	return c.readLanguage(o)
}

// readSource reads fetch_data or fetch_text; nil is none.
func readSource(root object, key string) (*source, error) {
	o, there, err := root.object(key)
	if err != nil || !there {
		return nil, err
	}
	from := source{}
	if from.url, err = o.httpURL("url"); err != nil {
		return nil, err
	}
	if from.headers, err = o.headers("auth_headers"); err != nil {
		return nil, err
	}
	return &from, nil
}

// httpURL reads a required absolute URL. It is not repeated in errors: it may hold a signature.
func (o object) httpURL(key string) (string, error) {
	raw, err := o.string(key)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return "", invalidf("%s must be an http or https URL", o.at(key))
	}
	return raw, nil
}

func (c *jobConfig) readNotifications(root object) error {
	entries, err := root.objects("notification_config", maxNotifications)
	if err != nil {
		return err
	}
	for _, o := range entries {
		var n notification
		if n.url, err = o.httpURL("url"); err != nil {
			return err
		}
		if n.method, err = o.enum("method", "post", "put"); err != nil {
			return err
		}
		orDefault(&n.method, "post")
		if n.contents, err = o.strings("contents", maxListItems); err != nil {
			return err
		}
		for _, item := range n.contents {
			if !slices.Contains(notificationContents, item) {
				return invalidf("%s: %q is not supported", o.at("contents"), item)
			}
		}
		if n.headers, err = o.headers("auth_headers"); err != nil {
			return err
		}
		c.notifications = append(c.notifications, n)
	}
	return nil
}

func (c *jobConfig) readTracking(root object) error {
	o, there, err := root.object("tracking")
	if err != nil || !there {
		return err
	}
	if c.tracking.title, err = o.string("title"); err != nil {
		return err
	}
	if c.tracking.reference, err = o.string("reference"); err != nil {
		return err
	}
	if _, err = o.strings("tags", maxListItems); err != nil {
		return err
	}
	if _, _, err = o.object("details"); err != nil {
		return err
	}
	c.tracking.raw, err = json.Marshal(o.fields)
	return err
}
