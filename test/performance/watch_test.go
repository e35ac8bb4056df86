// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package performance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// asTable asks for what kubectl shows, and no objects, so that to watch costs little: the API server does as much as for others.
const asTable = "application/json;as=Table;v=v1;g=meta.k8s.io"

// watcher sees when objects reach a state, as somebody with kubectl get --watch does.
type watcher struct {
	end  context.CancelFunc
	over chan struct{}

	mu sync.Mutex
	// reached is when each object's status was seen to be the wanted one for the first time.
	reached map[string]time.Time
	seen    map[string]string
	changed chan struct{} // closed and replaced at each
	err     error
}

// startWatch watches objects of a namespace, at a path such as /apis/batch/v1/namespaces/x/jobs, until their STATUS is the wanted one.
func startWatch(ctx context.Context, config *rest.Config, path, wanted string) (*watcher, error) {
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+path+"?watch=true&includeObject=None", http.NoBody)
	if err != nil {
		cancel()
		return nil, err
	}
	request.Header.Set("Accept", asTable)
	response, err := client.Do(request) //nolint:bodyclose // the reader closes it
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.Join(fmt.Errorf("a watch of %s is answered with %s", path, response.Status), response.Body.Close())
	}
	if err != nil {
		cancel()
		return nil, err
	}
	w := &watcher{end: cancel, over: make(chan struct{}), reached: map[string]time.Time{}, seen: map[string]string{}, changed: make(chan struct{})}
	go func() {
		defer close(w.over)
		defer client.CloseIdleConnections()
		defer func() { _ = response.Body.Close() }()
		w.fail(w.read(json.NewDecoder(response.Body), wanted))
	}()
	return w, nil
}

// read reads events until there are no more.
func (w *watcher) read(events *json.Decoder, wanted string) error {
	for {
		var event struct {
			Type   string       `json:"type"`
			Object metav1.Table `json:"object"`
		}
		if err := events.Decode(&event); err != nil {
			return fmt.Errorf("the watch has ended: %w", err)
		}
		now := time.Now()
		if columns := event.Object.ColumnDefinitions; len(columns) > 0 && (len(columns) < 2 || columns[1].Name != "Status") {
			return errors.New("the second column is not the status")
		}
		for _, row := range event.Object.Rows {
			if len(row.Cells) < 2 {
				return fmt.Errorf("a row has %d cells", len(row.Cells))
			}
			w.note(fmt.Sprint(row.Cells[0]), fmt.Sprint(row.Cells[1]), wanted, now)
		}
	}
}

func (w *watcher) note(name, status, wanted string, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen[name] = status
	if _, ok := w.reached[name]; ok || status != wanted {
		return
	}
	w.reached[name] = now
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watcher) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.err = err
	close(w.changed)
	w.changed = make(chan struct{})
}

// await waits until so many objects have reached the state, and returns when each has.
func (w *watcher) await(ctx context.Context, n int) (map[string]time.Time, error) {
	for {
		w.mu.Lock()
		reached, changed, err := w.reached, w.changed, w.err
		there := len(reached)
		w.mu.Unlock()
		if there >= n {
			w.close()
			return reached, nil
		}
		if err != nil {
			return nil, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d are there; the others: %v: %w", there, n, w.others(), ctx.Err())
		}
	}
}

// others are how many objects are in which other state.
func (w *watcher) others() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	counts := map[string]int{}
	for name, status := range w.seen {
		if _, ok := w.reached[name]; !ok {
			counts[status]++
		}
	}
	return counts
}

// close ends the watch. A second call does nothing.
func (w *watcher) close() {
	w.end()
	<-w.over
}
