// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"encoding/base64"
	"maps"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/transcription-operator/transcription-operator/notification"
)

// noSecretIsTold searches all that was told in this test, by all pods, events, objects and commands, for every secret that was used.
func noSecretIsTold(t *testing.T, c *cluster) {
	c.addDeliveryTokens(t)
	told := c.record.everything()
	logs := 0
	for where, text := range told {
		if strings.HasPrefix(where, "log of ") {
			logs++
		}
		for name, secret := range c.secrets {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)), url.QueryEscape(secret)} {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s tells the secret %q, at byte %d", where, name, at)
				}
			}
		}
		for _, target := range c.tokensIn(text) {
			t.Errorf("%s tells a token of %+v", where, target)
		}
		if strings.Contains(text, "Authorization: Bearer") {
			t.Errorf("%s tells a header with a token", where)
		}
	}
	// Whoever reads nothing finds nothing.
	if logs < 6 || len(told)-logs < 100 || len(c.secrets) < 8 || len(c.tokens) < 100 {
		t.Errorf("only %d logs and %d other texts were searched for %d secrets and %d tokens", logs, len(told)-logs, len(c.secrets), len(c.tokens))
	}
	t.Logf("%d logs and %d events, objects and outputs were searched for %d secrets and %d tokens", logs, len(told)-logs, len(c.secrets), len(c.tokens))
}

// rememberTokens remembers the tokens that the provider has got.
func (c *cluster) rememberTokens(t *testing.T, p *provider) {
	t.Helper()
	eventually(t, "the provider's jobs are read", func(ctx context.Context) error { // a forwarded connection may get stuck
		tokens, err := p.tokens(ctx)
		maps.Copy(c.tokens, tokens)
		return err
	})
}

// addDeliveryTokens adds the tokens with which the manager speaks to the receiver of the same jobs. Nobody else ever has them.
func (c *cluster) addDeliveryTokens(t *testing.T) {
	t.Helper()
	for name, key := range c.secrets {
		if !strings.HasPrefix(name, keysSecret) {
			continue
		}
		keyring, err := notification.NewKeyring([]byte(key))
		must(t, err)
		deliveries := map[string]notification.Target{}
		for _, target := range c.tokens {
			deliveries[keyring.Token(notification.PurposeDeliver, target)] = target
		}
		maps.Copy(c.tokens, deliveries)
	}
}

// tokenLength is how long a token is.
const tokenLength = 43

// mayHoldToken is what a token is part of, or is.
var mayHoldToken = regexp.MustCompile(`[A-Za-z0-9_-]{43,}`)

// tokensIn finds what the tokens in a text are good for.
func (c *cluster) tokensIn(text string) []notification.Target {
	var found []notification.Target
	for _, run := range mayHoldToken.FindAllString(text, -1) {
		for at := 0; at+tokenLength <= len(run); at++ {
			if target, ok := c.tokens[run[at:at+tokenLength]]; ok {
				found = append(found, target)
			}
		}
	}
	return found
}
