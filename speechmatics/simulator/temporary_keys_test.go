// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// temporaryKey asks for a key.
func (a *api) temporaryKey(body string) answer {
	a.t.Helper()
	return a.do(http.MethodPost, "/v1/api_keys?type=batch", strings.NewReader(body), "Content-Type", "application/json")
}

// as sends a request with another key.
func (a *api) as(key, method, path string) answer {
	a.t.Helper()
	return a.do(method, path, nil, "Authorization", "Bearer "+key)
}

// submitAs uploads with another key.
func (a *api) submitAs(key string) string {
	a.t.Helper()
	body, contentType := form(a.t, plainConfig, "a.wav", wav(time.Second))
	return a.do(http.MethodPost, "/v2/jobs", body, "Content-Type", contentType, "Authorization", "Bearer "+key).json(a.t)["id"].(string)
}

func TestTemporaryKeys(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock})
	created := a.temporaryKey(`{"ttl":60}`)
	if id, there := created.json(t)["apikey_id"]; created.status != http.StatusCreated || !there || id != nil {
		t.Fatalf("%v", created)
	}
	key := created.json(t)["key_value"].(string)
	parts := strings.Split(key, ".")
	claims, err := base64.RawURLEncoding.DecodeString(parts[1])
	check(t, err)
	var told map[string]any
	check(t, json.Unmarshal(claims, &told))
	if !strings.HasPrefix(key, "eyJ") || len(parts) != 3 || told["exp"].(float64)-told["iat"].(float64) != 60 {
		t.Errorf("%s", claims)
	}
	id := a.submitAs(key)
	if got := a.get("/v2/jobs/" + id + "?wait=0"); got.status != http.StatusOK {
		t.Errorf("the project's key does not see it: %v", got)
	}
	if got := a.as(key, http.MethodGet, "/v2/usage"); got.status != http.StatusOK {
		t.Errorf("usage: %v", got)
	}
	if got := a.as(key, http.MethodPost, "/v1/api_keys?type=batch"); got.status != http.StatusForbidden {
		t.Errorf("a key of a key: %v", got)
	}
	clock.Step(time.Minute)
	if got := a.as(key, http.MethodGet, "/v2/jobs"); got.status != http.StatusForbidden || !strings.Contains(got.body, "Entitlement check failed") {
		t.Errorf("expired: %v", got)
	}
	check(t, a.server.SetBehaviour(Behaviour{ExpiredKeyStatus: http.StatusUnauthorized}))
	if got := a.as(key, http.MethodGet, "/v2/jobs"); got.status != http.StatusUnauthorized {
		t.Errorf("expired: %v", got)
	}
	if !a.server.RevokeKey(key) || a.server.keys.temporary != 0 {
		t.Errorf("%d keys are left", a.server.keys.temporary)
	}
}

func TestClientReferences(t *testing.T) {
	a := start(t, Options{})
	ann := a.temporaryKey(`{"ttl":3600,"client_ref":"ann"}`).json(t)["key_value"].(string)
	again := a.temporaryKey(`{"ttl":3600,"client_ref":"ann","region":"eu"}`).json(t)["key_value"].(string)
	bob := a.temporaryKey(`{"ttl":3600,"client_ref":"bob"}`).json(t)["key_value"].(string)
	id := a.submitAs(ann)
	a.submit(plainConfig, "a.wav", wav(time.Second))
	for key, want := range map[string]int{ann: 1, again: 1, bob: 0, testKey: 2} {
		if got := a.as(key, http.MethodGet, "/v2/jobs").json(t)["jobs"].([]any); len(got) != want {
			t.Errorf("%d jobs, want %d", len(got), want)
		}
	}
	if ann == again {
		t.Error("two keys are the same")
	}
	if got := a.as(bob, http.MethodDelete, "/v2/jobs/"+id+"?force=true"); got.status != http.StatusNotFound {
		t.Errorf("another reference: %v", got)
	}
	if got := a.as(ann, http.MethodGet, "/v2/usage"); got.status != http.StatusForbidden {
		t.Errorf("usage: %v", got)
	}
}

func TestBadKeyRequests(t *testing.T) {
	a := start(t, Options{})
	for _, body := range []string{"", "[]", "{}", `{"ttl":59}`, `{"ttl":86401}`, `{"ttl":60.5}`, `{"ttl":"60"}`, `{"ttl":60,"client_ref":7}`, `{"ttl":60,"client_ref":"` + strings.Repeat("x", maxClientRef+1) + `"}`} {
		if got := a.temporaryKey(body); got.status != http.StatusUnprocessableEntity || got.json(t)["message"] == "" {
			t.Errorf("%.40s: %v", body, got)
		}
	}
	for _, query := range []string{"", "?type=rt"} {
		if got := a.do(http.MethodPost, "/v1/api_keys"+query, strings.NewReader(`{"ttl":60}`)); got.status != http.StatusUnprocessableEntity || got.json(t)["message"] == "" {
			t.Errorf("%q: %v", query, got)
		}
	}
	if got := a.do(http.MethodPost, "/v1/api_keys?type=batch", strings.NewReader(`{"ttl":60}`), "Authorization", "Bearer wrong"); got.status != http.StatusUnauthorized {
		t.Errorf("wrong key: %v", got)
	}
	if got := onPremises(t, BackendAppliance, Options{}).temporaryKey(`{"ttl":60}`); got.status != http.StatusNotFound {
		t.Errorf("on premises: %v", got)
	}
}

func TestTemporaryKeysAreBounded(t *testing.T) {
	clock := newClock()
	a := start(t, Options{Clock: clock})
	wanted := keyRequest{ttl: time.Minute}
	for range maxTemporaryKeys {
		if _, ok := a.server.addTemporaryKey("p", wanted); !ok {
			t.Fatal("refused")
		}
	}
	if got := a.temporaryKey(`{"ttl":60}`); got.status != http.StatusForbidden {
		t.Errorf("%v", got)
	}
	clock.Step(time.Minute)
	if got := a.temporaryKey(`{"ttl":60}`); got.status != http.StatusCreated || a.server.keys.temporary != 1 {
		t.Errorf("%v, %d keys", got, a.server.keys.temporary)
	}
}
