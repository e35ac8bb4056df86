// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package simulator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// userAgent is what the service calls itself when it fetches and notifies.
const userAgent = "Speechmatics-API/2.0"

// errFetch says that media could not be fetched. Every attempt's reason is among the job's errors.
var errFetch = errors.New("unable to fetch audio")

// fetchAttempts are the times of the attempts to fetch media, after the submission, as seen in the
// one public sample. Anything that fails is tried again, a 404 too.
var fetchAttempts = []time.Duration{
	1700 * time.Millisecond, 3900 * time.Millisecond, 13900 * time.Millisecond, 33900 * time.Millisecond,
}

// fetch gets what a job needs from its URLs. An error that is errFetch is for good; others are the
// context's or the simulator's own.
func (s *Server) fetch(ctx context.Context, j *job) error {
	if from := j.config.fetch; from != nil {
		var media *mediaFile
		if err := s.attempt(ctx, j, from, func(body io.Reader) (err error) {
			media, err = s.store.spool(body, s.options.Limits.FetchBytes)
			return err
		}); err != nil {
			return err
		}
		if err := s.fetched(ctx, j, media); err != nil {
			return err
		}
	}
	if from := j.config.fetchText; from != nil {
		return s.attempt(ctx, j, from, func(body io.Reader) error { return s.fetchedText(j, body) })
	}
	return nil
}

// attempt fetches something several times, until it is taken.
func (s *Server) attempt(ctx context.Context, j *job, from *source, take func(io.Reader) error) error {
	var waited time.Duration
	for _, at := range fetchAttempts {
		if !s.sleep(ctx, s.scale(at-waited)) {
			return ctx.Err()
		}
		waited = at
		err := s.fetchOnce(ctx, from, take)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.log.Info("fetch failed", "job", j.id, "url", withoutQuery(from.url), "error", redacted(err))
		s.addError(j, fmt.Sprintf("%v: %v", errFetch, err))
		if s.Behaviour().FetchGivesUpAtOnce && isClientError(err) {
			break
		}
	}
	return errFetch
}

// fetched takes what was fetched into the job, and looks for the words beside it.
func (s *Server) fetched(ctx context.Context, j *job, media *mediaFile) error {
	var found *script
	if !s.Behaviour().NoSideFileFetch {
		found = s.fetchScript(ctx, j.config.fetch)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.status != statusRunning {
		media.remove()
		return context.Canceled
	}
	j.media, j.script = media, found
	return nil
}

// fetchedText takes the text of an alignment job.
func (s *Server) fetchedText(j *job, body io.Reader) error {
	text, err := io.ReadAll(io.LimitReader(body, maxTextBytes+1))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	j.text = text
	return nil
}

// fetchOnce is one attempt.
func (s *Server) fetchOnce(ctx context.Context, from *source, take func(io.Reader) error) error {
	ctx, cancel := withTimeout(ctx, s.options.Limits.FetchTimeout)
	defer cancel()
	response, err := s.getSource(ctx, from.url, from.headers)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return statusError(response.StatusCode)
	}
	return take(response.Body)
}

// statusError is an answer without media.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("http status code %d", int(e)) }

func isClientError(err error) bool {
	status, ok := errors.AsType[statusError](err)
	return ok && status/100 == 4
}

func (s *Server) getSource(ctx context.Context, target string, headers []header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
	if err != nil {
		return nil, err
	}
	addHeaders(request, headers)
	return s.fetchClient.Do(request)
}

// addHeaders adds a user's headers and the service's name.
func addHeaders(request *http.Request, headers []header) {
	request.Header.Set("User-Agent", userAgent)
	for _, h := range headers {
		if strings.EqualFold(h.name, "Host") {
			request.Host = h.value
			continue
		}
		request.Header.Set(h.name, h.value)
	}
}

func (s *Server) checkFetchRedirect(_ *http.Request, via []*http.Request) error {
	return checkRedirect(s.Behaviour().FollowFetchRedirects, via)
}

// checkRedirect follows ten redirects at most, or none.
func checkRedirect(follow bool, via []*http.Request) error {
	if !follow {
		return http.ErrUseLastResponse
	}
	if len(via) >= 10 {
		return errors.New("stopped after 10 redirects")
	}
	return nil
}

// fetchScript looks for the words next to the media. That there are none is no error.
func (s *Server) fetchScript(ctx context.Context, from *source) *script {
	for _, target := range sideFileURLs(from.url) {
		if found := s.fetchScriptFrom(ctx, target, from.headers); found != nil {
			return found
		}
	}
	return nil
}

func (s *Server) fetchScriptFrom(ctx context.Context, target string, headers []header) *script {
	ctx, cancel := withTimeout(ctx, s.options.Limits.FetchTimeout)
	defer cancel()
	response, err := s.getSource(ctx, target, headers)
	if err != nil {
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	// A site that answers everything with a page has no words for us.
	if response.StatusCode != http.StatusOK || strings.Contains(response.Header.Get("Content-Type"), "html") {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxScriptBytes+1))
	if err != nil {
		return nil
	}
	return parseScript(text)
}

// sideFileURLs are where the words of media may be: with .txt instead of the extension, and appended.
func sideFileURLs(media string) []string {
	u, err := url.Parse(media)
	if err != nil {
		return nil
	}
	extension := path.Ext(u.Path)
	if extension == "" || extension == ".txt" {
		return nil
	}
	replaced, appended := *u, *u
	replaced.Path, replaced.RawPath = strings.TrimSuffix(u.Path, extension)+".txt", ""
	appended.Path, appended.RawPath = u.Path+".txt", ""
	return []string{replaced.String(), appended.String()}
}

// withTimeout bounds a context, unless the bound is negative.
func withTimeout(ctx context.Context, bound time.Duration) (context.Context, context.CancelFunc) {
	if bound < 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, bound)
}

// redacted is an error for a log: the errors of net/http repeat the whole URL.
func redacted(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
