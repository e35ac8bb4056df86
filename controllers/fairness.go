// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"cmp"
	"container/heap"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/transcription-operator/transcription-operator/api/v1alpha1"
)

// candidate is a job that waits to be submitted.
type candidate struct {
	key      types.NamespacedName
	uid      types.UID
	account  types.UID
	priority int32
	created  time.Time
	// refused means that the provider has refused it lately: when submissions are tried one by one, others go first.
	refused bool
}

func candidateOf(job *v1alpha1.TranscriptionJob, account types.UID) candidate {
	return candidate{
		key:      types.NamespacedName{Namespace: job.Namespace, Name: job.Name},
		uid:      job.UID,
		account:  account,
		priority: valueOf(job.Spec.Priority),
		created:  job.CreationTimestamp.Time,
	}
}

// before is the order within a namespace: the higher priority first, then the older job; the name makes it total.
func (c *candidate) before(other *candidate) bool {
	switch {
	case c.refused != other.refused:
		return other.refused
	case c.priority != other.priority:
		return c.priority > other.priority
	case !c.created.Equal(other.created):
		return c.created.Before(other.created)
	default:
		return c.key.Name < other.key.Name
	}
}

// line is where the jobs wait that are to be submitted with one key. Who goes next follows from what was told to it and from nothing
// else: it knows no time, no limits and no provider.
//
// Namespaces take turns, one job at a time, however many jobs they have and whatever their priorities. One that begins to wait goes behind
// those that wait already; it has nothing to catch up on for the time when it had no jobs, and owes nothing for those that it had.
// When places at the provider are scarce, which is when there are fewer free ones than namespaces that wait, turns are not
// enough: long jobs would keep what they once got. Then the namespace with the fewest jobs there goes first.
//
// Namespaces that jobs of were refused go last, until they are pardoned: the others are to find out whether it is the account's fault.
//
// Each operation takes time in the logarithm of the number of jobs, a pardon in the number of suspects too.
type line struct {
	// namespaces are those that have jobs waiting or at the provider.
	namespaces map[string]*queue
	waiting    map[types.UID]*candidate
	// byTurn and byPlaces order the namespaces that have jobs waiting.
	byTurn, byPlaces *ordered[*queue]
	turn             uint64
	// suspects are the namespaces that go last.
	suspects map[string]struct{}
}

// queue is a namespace's part of the line.
type queue struct {
	namespace string
	waiting   *ordered[*candidate]
	// places is how many jobs the namespace has at the provider.
	places int
	// turn is when it began to wait, or had its last turn.
	turn uint64
	// suspect means that it goes last.
	suspect bool
}

func newLine() *line {
	return &line{
		namespaces: map[string]*queue{},
		waiting:    map[types.UID]*candidate{},
		byTurn:     newOrdered((*queue).beforeByTurn),
		byPlaces:   newOrdered((*queue).beforeByPlaces),
		suspects:   map[string]struct{}{},
	}
}

func (q *queue) beforeByTurn(other *queue) bool {
	if q.suspect != other.suspect {
		return other.suspect
	}
	return q.turn < other.turn
}

func (q *queue) beforeByPlaces(other *queue) bool {
	if q.suspect != other.suspect {
		return other.suspect
	}
	return cmp.Or(cmp.Compare(q.places, other.places), cmp.Compare(q.turn, other.turn)) < 0
}

func (l *line) len() int { return len(l.waiting) }

func (l *line) has(uid types.UID) bool {
	_, ok := l.waiting[uid]
	return ok
}

// add has a job wait, or takes over what has changed about one that waits.
func (l *line) add(c candidate) {
	q := l.queueOf(c.key.Namespace)
	known, waits := l.waiting[c.uid]
	if waits {
		*known = c
	} else {
		known = &c
		l.waiting[c.uid] = known
	}
	if q.waiting.Len() == 0 {
		q.turn = l.tick()
	}
	q.waiting.put(known)
	l.settle(q)
}

// tick is the number of the next turn.
func (l *line) tick() uint64 {
	l.turn++
	return l.turn
}

// remove has a job wait no longer.
func (l *line) remove(uid types.UID) {
	c, ok := l.waiting[uid]
	if !ok {
		return
	}
	delete(l.waiting, uid)
	q := l.queueOf(c.key.Namespace)
	q.waiting.drop(c)
	l.settle(q)
}

// waitingOf is how many jobs of a namespace wait.
func (l *line) waitingOf(namespace string) int {
	if q, ok := l.namespaces[namespace]; ok {
		return q.waiting.Len()
	}
	return 0
}

// of are the jobs of an account that wait.
func (l *line) of(account types.UID) []candidate {
	var found []candidate
	for _, c := range l.waiting {
		if c.account == account {
			found = append(found, *c)
		}
	}
	return found
}

// head is the namespace whose turn it is, if so many places are free at the provider. One must be waiting.
func (l *line) head(free int) *queue {
	if free < l.byTurn.Len() {
		return l.byPlaces.first()
	}
	return l.byTurn.first()
}

// upNext names the namespace whose turn it is.
func (l *line) upNext(free int) string { return l.head(free).namespace }

// next takes the job out of the line whose turn it is, if so many places are free at the provider. There must be one.
func (l *line) next(free int) candidate {
	q := l.head(free)
	c := q.waiting.first()
	q.turn = l.tick()
	l.remove(c.uid)
	return *c
}

// occupy counts a place at the provider that a namespace has got.
func (l *line) occupy(namespace string) {
	q := l.queueOf(namespace)
	q.places++
	l.settle(q)
}

// vacate counts a place at the provider that a namespace has given back.
func (l *line) vacate(namespace string) {
	q := l.queueOf(namespace)
	q.places--
	l.settle(q)
}

// suspect has a namespace go last.
func (l *line) suspect(namespace string) {
	l.suspects[namespace] = struct{}{}
	q := l.queueOf(namespace)
	q.suspect = true
	l.settle(q)
}

// pardon has no namespace go last any more.
func (l *line) pardon() {
	for namespace := range l.suspects {
		delete(l.suspects, namespace)
		q := l.queueOf(namespace)
		q.suspect = false
		l.settle(q)
	}
}

func (l *line) queueOf(namespace string) *queue {
	q, ok := l.namespaces[namespace]
	if !ok {
		_, suspect := l.suspects[namespace]
		q = &queue{namespace: namespace, waiting: newOrdered((*candidate).before), suspect: suspect}
		l.namespaces[namespace] = q
	}
	return q
}

// settle puts a namespace where it belongs after a change, and forgets those of which there is nothing to know.
func (l *line) settle(q *queue) {
	if q.waiting.Len() > 0 {
		l.byTurn.put(q)
		l.byPlaces.put(q)
		return
	}
	l.byTurn.drop(q)
	l.byPlaces.drop(q)
	if q.places == 0 {
		delete(l.namespaces, q.namespace)
	}
}

// ordered is a priority queue whose items can be moved and taken out.
type ordered[T comparable] struct {
	before func(a, b T) bool
	items  []T
	index  map[T]int
}

func newOrdered[T comparable](before func(a, b T) bool) *ordered[T] {
	return &ordered[T]{before: before, index: map[T]int{}}
}

// put adds an item, or moves it to its place after it has changed.
func (o *ordered[T]) put(item T) {
	if i, ok := o.index[item]; ok {
		heap.Fix(o, i)
		return
	}
	heap.Push(o, item)
}

// drop takes an item out, if it is there.
func (o *ordered[T]) drop(item T) {
	if i, ok := o.index[item]; ok {
		heap.Remove(o, i)
	}
}

// first is the item before all others. There must be one.
func (o *ordered[T]) first() T { return o.items[0] }

// Len implements heap.Interface.
func (o *ordered[T]) Len() int { return len(o.items) }

// Less implements heap.Interface.
func (o *ordered[T]) Less(i, j int) bool { return o.before(o.items[i], o.items[j]) }

// Swap implements heap.Interface.
func (o *ordered[T]) Swap(i, j int) {
	o.items[i], o.items[j] = o.items[j], o.items[i]
	o.index[o.items[i]], o.index[o.items[j]] = i, j
}

// Push implements heap.Interface.
func (o *ordered[T]) Push(item any) {
	o.index[item.(T)] = len(o.items)    //nolint:forcetypeassert // heap.Push hands on what put was given.
	o.items = append(o.items, item.(T)) //nolint:forcetypeassert // as above
}

// Pop implements heap.Interface.
func (o *ordered[T]) Pop() any {
	last := len(o.items) - 1
	item := o.items[last]
	var none T
	o.items[last] = none
	o.items = o.items[:last]
	delete(o.index, item)
	return item
}
