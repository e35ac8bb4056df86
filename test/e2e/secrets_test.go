// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/base64"
	"strings"
	"testing"
)

// noSecretIsTold searches all that was told in this test, by all pods, events and statuses, for every secret that was used.
func noSecretIsTold(t *testing.T, c *cluster) {
	told := c.record.everything()
	logs := 0
	for where, text := range told {
		if strings.HasPrefix(where, "log of ") {
			logs++
		}
		for name, secret := range c.secrets {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s tells the secret %q, at byte %d", where, name, at)
				}
			}
		}
		if strings.Contains(text, "Authorization: Bearer") {
			t.Errorf("%s tells a header with a token", where)
		}
	}
	// Whoever reads nothing finds nothing.
	if logs < 6 || len(told)-logs < 100 || len(c.secrets) < 6 {
		t.Errorf("only %d logs and %d other texts were searched for %d secrets", logs, len(told)-logs, len(c.secrets))
	}
	t.Logf("%d logs and %d events and statuses were searched for %d secrets", logs, len(told)-logs, len(c.secrets))
}
