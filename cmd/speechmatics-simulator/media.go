// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"net/http"
	"os"
	"strings"
)

// mediaPath is where the folder of --media is served.
const mediaPath = "/media/"

// mediaHandler serves the regular files of a folder, and nothing outside of it: os.Root refuses names
// and symbolic links that lead elsewhere. It lists nothing.
func mediaHandler(root *os.Root) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, mediaPath)
		file, info, err := openRegular(root, name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer func() { _ = file.Close() }() // was read only
		http.ServeContent(w, r, name, info.ModTime(), file)
	})
}

// openRegular opens a regular file; others are as if they did not exist.
func openRegular(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, nil, fs.ErrNotExist
	}
	// Looked at before it is opened: opening a pipe would wait for a writer.
	if info, err := root.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, nil, fs.ErrNotExist
	}
	file, err := root.Open(name)
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil {
		_ = file.Close()
		return nil, nil, err
	}
	return file, info, nil
}
