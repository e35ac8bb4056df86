// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tracker remembers, by name, which objects there are: their UID, so that what is kept in memory about one can be dropped when
// it is gone or a namesake has taken its place; and the version that the reconciler wrote last, so that a pass does not begin
// with an older one from the cache. The latter saves work only: writes with a stale object fail at the API server.
type tracker struct {
	clock   clock.PassiveClock
	mu      sync.Mutex
	objects map[types.NamespacedName]trackedObject
}

type trackedObject struct {
	uid     types.UID
	written string
	at      time.Time
}

// maxStaleness is how long a cache may lag behind a write before it is believed all the same: after etcd was restored from a
// backup, the version that was written last never comes.
const maxStaleness = 30 * time.Second

func newTracker(c clock.PassiveClock) *tracker {
	return &tracker{clock: c, objects: map[types.NamespacedName]trackedObject{}}
}

// meet notes an object that was read. It returns the UID of the object of that name that is gone, if there was one, and whether
// the reconciler has written a newer version of this one.
func (t *tracker) meet(object client.Object) (gone types.UID, stale bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	name := client.ObjectKeyFromObject(object)
	tracked, ok := t.objects[name]
	if !ok || tracked.uid != object.GetUID() {
		t.objects[name] = trackedObject{uid: object.GetUID()}
		return tracked.uid, false
	}
	if tracked.written == "" || t.clock.Since(tracked.at) > maxStaleness {
		return "", false
	}
	order, err := resourceversion.CompareResourceVersion(object.GetResourceVersion(), tracked.written)
	return "", err == nil && order < 0
}

// wrote notes a version that was just written.
func (t *tracker) wrote(object client.Object) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.objects[client.ObjectKeyFromObject(object)] = trackedObject{uid: object.GetUID(), written: object.GetResourceVersion(), at: t.clock.Now()}
}

// miss notes that there is no object of a name, and returns the UID of the one that is gone, if there was one.
func (t *tracker) miss(name types.NamespacedName) types.UID {
	t.mu.Lock()
	defer t.mu.Unlock()
	uid := t.objects[name].uid
	delete(t.objects, name)
	return uid
}
