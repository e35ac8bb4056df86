// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

// Package authheaders reads the HTTP headers that a user keeps in a Secret for the provider to send when it fetches media.
package authheaders

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/net/http/httpguts"
)

const (
	// MaxHeaders and MaxHeaderBytes bound what is accepted.
	MaxHeaders     = 16
	MaxHeaderBytes = 4096
)

// Parse reads lines of "Name: value" and returns them in exactly that form; empty lines do not count. Its errors tell what is
// wrong without repeating a value, since the values are secrets.
func Parse(text string) ([]string, error) {
	var headers []string
	for i, line := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok || len(line) > MaxHeaderBytes || !httpguts.ValidHeaderFieldName(name) || value == "" || !httpguts.ValidHeaderFieldValue(value) {
			return nil, fmt.Errorf("line %d is not an HTTP header of at most %d bytes", i+1, MaxHeaderBytes)
		}
		headers = append(headers, name+": "+value)
	}
	switch {
	case len(headers) == 0:
		return nil, errors.New("there is no header")
	case len(headers) > MaxHeaders:
		return nil, fmt.Errorf("there are more than %d headers", MaxHeaders)
	}
	return headers, nil
}
