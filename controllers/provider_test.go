// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"errors"
	"testing"
)

func TestRefusePrivateAddresses(t *testing.T) {
	t.Parallel()
	for address, refused := range map[string]bool{
		"20.73.209.153:443":           false,
		"[2606:4700::1]:443":          false,
		"127.0.0.1:443":               true,
		"[::1]:443":                   true,
		"10.0.0.1:443":                true,
		"172.16.0.1:443":              true,
		"192.168.1.1:443":             true,
		"169.254.169.254:80":          true, // the metadata service of clouds
		"100.64.0.1:443":              true, // shared address space
		"0.1.2.3:443":                 true,
		"198.18.0.1:443":              true,
		"240.0.0.1:443":               true,
		"[64:ff9b::a9fe:a9fe]:80":     true, // the metadata service behind a translator
		"0.0.0.0:443":                 true,
		"255.255.255.255:443":         true,
		"224.0.0.1:443":               true,
		"[fe80::1]:443":               true,
		"[fd00::1]:443":               true,
		"[::ffff:127.0.0.1]:443":      true, // IPv4 in disguise
		"[::ffff:169.254.169.254]:80": true,
	} {
		err := refusePrivateAddresses("tcp", address, nil)
		if errors.Is(err, errPrivateAddress) != refused {
			t.Errorf("%s: %v, want refused: %v", address, err, refused)
		}
	}
	if refusePrivateAddresses("tcp", "no address", nil) == nil {
		t.Error("what is no address is let through")
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	if a, b := fingerprint("key-a"), fingerprint("key-b"); a == b || len(a) != 32 || a != fingerprint("key-a") {
		t.Errorf("fingerprints %q and %q", a, b)
	}
}
