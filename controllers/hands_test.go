// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

// TestHands has more jobs than hands: they get them in the order of asking, and one at a time as long as the host does not answer.
func TestHands(t *testing.T) {
	t.Parallel()
	woken := &admissions{}
	h := newHands(newCrew(100), 2, woken.wake)
	take := func(name string) bool { return h.take(types.NamespacedName{Namespace: "n", Name: name}) }
	if !take("a") || !take("b") || take("c") || take("d") || take("c") {
		t.Fatal("of two hands, two are to be taken")
	}
	h.give()
	if diff := cmp.Diff([]string{"n/c"}, woken.all()); diff != "" {
		t.Errorf("woken for the first free hand (-want +got):\n%s", diff)
	}
	if !take("c") {
		t.Error("the woken one got no hand")
	}
	h.heard(false)
	h.give()
	if len(woken.all()) != 1 || take("d") {
		t.Error("while the host does not answer one is enough")
	}
	h.give()
	if diff := cmp.Diff([]string{"n/c", "n/d"}, woken.all()); diff != "" {
		t.Errorf("woken to try the host (-want +got):\n%s", diff)
	}
	if !take("d") || take("e") || take("f") {
		t.Error("one, and only one, is to try the host")
	}
	h.heard(true)
	h.give()
	if diff := cmp.Diff([]string{"n/c", "n/d", "n/e"}, woken.all()[:3]); diff != "" {
		t.Errorf("woken after an answer (-want +got):\n%s", diff)
	}
	if !take("e") || !take("f") || take("g") {
		t.Error("after an answer there are two hands again")
	}
	h.resize(3)
	if !take("g") {
		t.Error("a third hand is not to be had")
	}
}

// TestHands_skipsWhoCameBy has one that asked come by itself before it is woken: the next one is woken in its place.
func TestHands_skipsWhoCameBy(t *testing.T) {
	t.Parallel()
	woken := &admissions{}
	h := newHands(newCrew(100), 1, woken.wake)
	a, b, c := types.NamespacedName{Name: "a"}, types.NamespacedName{Name: "b"}, types.NamespacedName{Name: "c"}
	h.take(a)
	h.take(b)
	h.take(c)
	h.give() // wakes b
	if !h.take(c) {
		t.Fatal("a free hand is not to be had")
	}
	h.take(b) // asks again
	h.give()
	if diff := cmp.Diff([]string{"/b", "/b"}, woken.all()); diff != "" {
		t.Errorf("woken (-want +got):\n%s", diff)
	}
	if len(h.asked) != 0 || len(h.asking) != 0 {
		t.Errorf("%v and %v are remembered", h.asked, h.asking)
	}
}

// TestHands_crew has several hosts be busy at a time: each finds half of the workers that the others leave, some workers are left over, and who
// gets none is woken when another one gives his back.
func TestHands_crew(t *testing.T) {
	t.Parallel()
	woken := &admissions{}
	c := newCrew(16)
	var hosts []*hands
	var got []int
	for host := range 4 {
		h := newHands(c, 8, woken.wake)
		hosts = append(hosts, h)
		n := 0
		for h.take(types.NamespacedName{Namespace: "n", Name: string(rune('a' + host))}) {
			n++
		}
		got = append(got, n)
	}
	if diff := cmp.Diff([]int{8, 4, 2, 0}, got); diff != "" {
		t.Fatalf("hands of 16 that four hosts get, one after the other (-want +got):\n%s", diff)
	}
	hosts[0].give()
	if diff := cmp.Diff([]string{"n/d"}, woken.all()); diff != "" {
		t.Errorf("woken after the first gave one back, and has more than its part yet (-want +got):\n%s", diff)
	}
	if hosts[0].take(types.NamespacedName{Name: "again"}) || !hosts[3].take(types.NamespacedName{Namespace: "n", Name: "d"}) {
		t.Error("a hand that was given back is the last one's, not the first one's")
	}
	for _, h := range hosts[:3] {
		for h.busy > 0 {
			h.give()
		}
	}
	if len(c.asking) != 0 || c.busy != 1 {
		t.Errorf("%d hosts ask, and %d hands are busy; want none and one", len(c.asking), c.busy)
	}
	for workers, most := range map[int]int{1: 1, 2: 2, 4: 3, 16: 14, 64: 62} {
		if got := newCrew(workers).most; got != most {
			t.Errorf("of %d workers %d may be busy with providers, want %d", workers, got, most)
		}
	}
}
