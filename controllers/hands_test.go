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
	h := newHands(2, woken.wake)
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
	h := newHands(1, woken.wake)
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
