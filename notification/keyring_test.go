// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package notification

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

func key(c string) []byte { return []byte(strings.Repeat(c, MinKeyBytes)) }

func mustKeyring(t testing.TB, signing []byte, additional ...[]byte) *Keyring {
	t.Helper()
	k, err := NewKeyring(signing, additional...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The token is part of the contract between programs of different versions: it must not change.
func TestTokenIsStable(t *testing.T) {
	// printf 'callback\n/v1/notifications/media/standup/<uid>/2' | openssl dgst -sha256 -hmac aaaa… -binary | basenc --base64url
	want := "SJiMiC7USMX0mGlmoQT9gUzzGjD_UpXm75oLawGW9u0"
	if got := mustKeyring(t, key("a")).Token(PurposeCallback, testTarget()); got != want {
		t.Errorf("Token() = %s, want %s", got, want)
	}
}

func TestVerify(t *testing.T) {
	old, current := mustKeyring(t, key("a")), mustKeyring(t, key("b"), key("a"))
	target := testTarget()
	token := current.Token(PurposeCallback, target)

	if !current.Verify(PurposeCallback, target, token) {
		t.Error("the signing key's token is refused")
	}
	if !current.Verify(PurposeCallback, target, old.Token(PurposeCallback, target)) {
		t.Error("the additional key's token is refused")
	}
	if old.Verify(PurposeCallback, target, token) {
		t.Error("another key's token is accepted")
	}
	if current.Verify(PurposeDeliver, target, token) {
		t.Error("a token for another purpose is accepted")
	}
	for name, other := range map[string]Target{
		"namespace": {"other", target.Name, target.UID, target.Attempt},
		"name":      {target.Namespace, "other", target.UID, target.Attempt},
		"UID":       {target.Namespace, target.Name, "6f1f0a5e-3a52-4c0e-9d2e-0123456789ac", target.Attempt},
		"attempt":   {target.Namespace, target.Name, target.UID, target.Attempt + 1},
	} {
		if current.Verify(PurposeCallback, other, token) {
			t.Errorf("the token of a job with another %s is accepted", name)
		}
	}
	for name, bad := range map[string]string{
		"empty": "", "padded": token + "=", "cut": token[:42], "longer": token + "A", "spaced": " " + token,
		// The last character of 43 carries two unused bits: another spelling of the same bytes is another token.
		"respelled": token[:42] + string(rune(token[42]+1)),
	} {
		if current.Verify(PurposeCallback, target, bad) {
			t.Errorf("a token that is %s is accepted", name)
		}
	}
}

func TestNewKeyringRefusesShortKeys(t *testing.T) {
	if _, err := NewKeyring(key("a")[1:]); err == nil {
		t.Error("a short signing key is accepted")
	}
	if _, err := NewKeyring(key("a"), []byte{}); err == nil {
		t.Error("an empty additional key is accepted")
	}
}

// A keyring keeps its own copy of the keys.
func TestKeyringIsIndependentOfItsInput(t *testing.T) {
	signing := key("a")
	k := mustKeyring(t, signing)
	token := k.Token(PurposeCallback, testTarget())
	signing[0] = 'x'
	if k.Token(PurposeCallback, testTarget()) != token {
		t.Error("the keyring changed with its input")
	}
}

func FuzzVerify(f *testing.F) {
	k := mustKeyring(f, key("a"), key("b"))
	good := []string{k.Token(PurposeCallback, testTarget()), mustKeyring(f, key("b")).Token(PurposeCallback, testTarget())}
	f.Add(good[0])
	f.Add(good[1])
	f.Add(strings.Repeat("A", 43))
	f.Fuzz(func(t *testing.T, token string) {
		if valid := token == good[0] || token == good[1]; k.Verify(PurposeCallback, testTarget(), token) != valid {
			t.Errorf("Verify(%q) = %v", token, !valid)
		}
	})
}

// secretMount imitates a mounted Secret: files are links into ..data, which is a link to a folder with a state.
type secretMount struct {
	t   *testing.T
	dir string
	n   int
}

func (s *secretMount) swap(files map[string][]byte) {
	s.t.Helper()
	s.n++
	state := "..state" + strings.Repeat("x", s.n)
	if err := os.Mkdir(filepath.Join(s.dir, state), 0o755); err != nil {
		s.t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(s.dir, state, name), content, 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	link := filepath.Join(s.dir, "..data_tmp")
	if err := os.Symlink(state, link); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(link, filepath.Join(s.dir, dataLink)); err != nil {
		s.t.Fatal(err)
	}
}

func TestKeyDirectoryFollowsASecret(t *testing.T) {
	clock := testingclock.NewFakePassiveClock(time.Unix(1000, 0))
	mount := &secretMount{t: t, dir: t.TempDir()}
	mount.swap(map[string][]byte{SigningKeyFile: key("a")})
	var logged []string
	log := funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{})
	d, err := NewKeyDirectory(mount.dir, clock, log)
	if err != nil {
		t.Fatal(err)
	}
	verifies := func(c string) bool {
		k, err := d.Keyring()
		if err != nil {
			t.Fatal(err)
		}
		return k.Verify(PurposeDeliver, testTarget(), mustKeyring(t, key(c)).Token(PurposeDeliver, testTarget()))
	}

	mount.swap(map[string][]byte{SigningKeyFile: key("b"), AdditionalKeyFile: key("a")})
	clock.SetTime(clock.Now().Add(KeyCheckInterval - 1))
	if !verifies("a") || verifies("b") {
		t.Error("the folder was looked at again too early")
	}
	clock.SetTime(clock.Now().Add(1))
	if !verifies("a") || !verifies("b") {
		t.Error("the new keys are not in force")
	}

	mount.swap(map[string][]byte{SigningKeyFile: []byte("short")})
	clock.SetTime(clock.Now().Add(KeyCheckInterval))
	if !verifies("a") || !verifies("b") {
		t.Error("the last good keys are no longer in force")
	}
	if err := d.Err(); err == nil || !strings.Contains(err.Error(), mount.dir) {
		t.Errorf("Err() = %v, want an error that names the folder", err)
	}

	mount.swap(map[string][]byte{SigningKeyFile: key("c")})
	clock.SetTime(clock.Now().Add(KeyCheckInterval))
	if verifies("a") || verifies("b") || !verifies("c") || d.Err() != nil {
		t.Errorf("the replaced keys are not in force alone; Err() = %v", d.Err())
	}
	if text := strings.Join(logged, "\n"); len(logged) != 3 || strings.Contains(text, "aaaa") || strings.Contains(text, "cccc") {
		t.Errorf("want one line for each of three changes, without the keys; got:\n%s", text)
	}
}

func TestNewKeyDirectoryRefuses(t *testing.T) {
	for name, files := range map[string]map[string][]byte{
		"no keys":              {},
		"only additional":      {AdditionalKeyFile: key("a")},
		"short signing key":    {SigningKeyFile: []byte("short")},
		"short additional key": {SigningKeyFile: key("a"), AdditionalKeyFile: []byte("short")},
		"empty additional key": {SigningKeyFile: key("a"), AdditionalKeyFile: {}},
		"huge key":             {SigningKeyFile: bytes.Repeat([]byte("a"), maxKeyBytes+1)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range files {
				if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := NewKeyDirectory(dir, testingclock.NewFakePassiveClock(time.Unix(1000, 0)), logr.Discard()); err == nil {
				t.Error("want an error")
			}
		})
	}
}

func TestCreatePart(t *testing.T) {
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	contents := Contents(&v1alpha1.TranscriptionJobSpec{Transcripts: v1alpha1.TranscriptsSpec{
		Formats: []v1alpha1.TranscriptFormat{v1alpha1.FormatJSONv2, v1alpha1.FormatText, v1alpha1.FormatSRT, v1alpha1.FormatVTT},
	}})
	for _, content := range contents {
		part, err := CreatePart(w, content)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(part, content); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := CreatePart(w, "data"); err == nil {
		t.Error("a part that is not a delivery's is accepted")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var got []string
	r := multipart.NewReader(&body, w.Boundary())
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(part)
		if err != nil || string(content) != part.FormName() || part.FileName() == "" || part.Header.Get("Content-Type") == "" {
			t.Errorf("part %q, file %q, type %q: %q, %v", part.FormName(), part.FileName(), part.Header.Get("Content-Type"), content, err)
		}
		got = append(got, part.FormName())
	}
	if diff := cmp.Diff(contents, got); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
}

// FuzzParseAuthorization checks that whatever the header says, what is taken for a token is one word, and that nothing is repeated in an
// error.
func FuzzParseAuthorization(f *testing.F) {
	for _, seed := range []string{"", "Bearer x", "bearer x", "Bearer  x", "Basic x", "Bearer a b", "Bearer \x00", "Bearer " + strings.Repeat("a", 5000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		token, err := ParseAuthorization(value)
		if err != nil {
			if token != "" {
				t.Errorf("a token and an error: %v", err)
			}
			return
		}
		if token == "" || Authorization(token) != value {
			t.Errorf("%q was taken for the token of %q", token, value)
		}
	})
}
