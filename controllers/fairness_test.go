// Copyright The transcription-operator Authors.
// SPDX-License-Identifier: Apache-2.0

package controllers

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"
)

// dawn is when the first job of a test was created.
var dawn = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// waitingFor describes a job that waits: namespace/name, then what is special about it, in any order: "p7" a priority, "t9" an age (a
// higher figure is younger), "r" that it was refused.
func waitingFor(t testing.TB, text string) candidate {
	t.Helper()
	fields := strings.Fields(text)
	namespace, name, _ := strings.Cut(fields[0], "/")
	c := candidate{key: types.NamespacedName{Namespace: namespace, Name: name}, uid: types.UID(fields[0]), created: dawn}
	for _, field := range fields[1:] {
		var age int
		var err error
		switch field[0] {
		case 'p':
			_, err = fmt.Sscanf(field, "p%d", &c.priority)
		case 't':
			_, err = fmt.Sscanf(field, "t%d", &age)
			c.created = dawn.Add(time.Duration(age) * time.Minute)
		case 'r':
			c.refused = true
		default:
			err = fmt.Errorf("unknown field %q", field)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// many describes n jobs of a namespace, each a minute younger than the one before.
func many(namespace string, n int, special string) []string {
	jobs := make([]string, 0, n)
	for i := range n {
		jobs = append(jobs, fmt.Sprintf("%s/%d t%d %s", namespace, i, i, special))
	}
	return jobs
}

// TestLine is the order in which waiting jobs are let in, by example. Each row says who is at the provider, who waits, in the order in which
// they came, and what follows.
func TestLine(t *testing.T) {
	t.Parallel()
	const plenty = 20000
	for name, c := range map[string]struct {
		places map[string]int // by namespace, before anybody is let in
		limit  int            // of places
		waits  [][]string
		// suspects are namespaces that go last
		suspects []string
		want     string
	}{
		"priority, then age, then the name": {
			limit: plenty,
			waits: [][]string{{"a/young t9", "a/old t1", "a/urgent t9 p7", "a/later t9 p-1", "a/b t5", "a/a t5"}},
			want:  "a/urgent a/old a/a a/b a/young a/later",
		},
		"namespaces take turns, whatever their priorities": {
			limit: plenty,
			waits: [][]string{many("a", 6, "p9"), many("b", 2, "p-9")},
			want:  "a/0 b/0 a/1 b/1 a/2 a/3 a/4 a/5",
		},
		"one that comes later goes behind those that wait, and catches nothing up": {
			limit: plenty,
			waits: [][]string{many("a", 4, ""), many("b", 4, ""), many("c", 1, "p9")},
			want:  "a/0 b/0 c/0 a/1 b/1 a/2 b/2 a/3 b/3",
		},
		"jobs at the provider do not count while there are places enough": {
			places: map[string]int{"a": 500},
			limit:  plenty,
			waits:  [][]string{many("a", 3, ""), many("b", 3, "")},
			want:   "a/0 b/0 a/1 b/1 a/2 b/2",
		},
		"scarce places go to whoever has the fewest": {
			places: map[string]int{"a": 5, "b": 2},
			limit:  8, // one is free; those that are let in stay, and one of a's ends each time
			waits:  [][]string{many("a", 3, "p9"), many("b", 4, "")},
			want:   "b/0 b/1 a/0 a/1 a/2 b/2 b/3",
		},
		"of equals, the one that was served longest ago": {
			places: map[string]int{"a": 3, "x": 1},
			limit:  5,
			waits:  [][]string{many("b", 2, ""), many("c", 2, "")},
			want:   "b/0 c/0 b/1 c/1",
		},
		"what was refused goes last within its namespace, and takes turns": {
			limit: plenty,
			waits: [][]string{{"a/refused r p9", "a/fresh t9"}, {"b/refused r"}},
			want:  "a/fresh b/refused a/refused",
		},
		"suspects go last, and take turns": {
			limit:    plenty,
			waits:    [][]string{many("a", 2, "p9"), many("b", 2, "p9"), many("c", 2, "")},
			suspects: []string{"a", "b"},
			want:     "c/0 c/1 a/0 b/0 a/1 b/1",
		},
		"suspects go last, also if places are scarce": {
			places:   map[string]int{"a": 5, "b": 2},
			limit:    8,
			waits:    [][]string{many("a", 2, ""), many("b", 2, "")},
			suspects: []string{"b", "of which nothing is known"},
			want:     "a/0 a/1 b/0 b/1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLine()
			taken := 0
			for namespace, n := range c.places {
				for range n {
					l.occupy(namespace)
					taken++
				}
			}
			for _, jobs := range c.waits {
				for _, job := range jobs {
					l.add(waitingFor(t, job))
				}
			}
			for _, namespace := range c.suspects {
				l.suspect(namespace)
			}
			var order []string
			for l.len() > 0 {
				next := l.next(c.limit - taken)
				order = append(order, next.key.String())
				l.occupy(next.key.Namespace)
				taken++
				if c.places["a"] > 0 && taken >= c.limit {
					l.vacate("a")
					c.places["a"]--
					taken--
				}
			}
			if diff := cmp.Diff(c.want, strings.Join(order, " ")); diff != "" {
				t.Errorf("order (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLine_pardon has a suspect be one for as long as it is not pardoned, also if it has no jobs meanwhile.
func TestLine_pardon(t *testing.T) {
	t.Parallel()
	l := newLine()
	l.suspect("a")
	order := func() string {
		l.add(waitingFor(t, "a/1"))
		l.add(waitingFor(t, "b/1"))
		return l.next(20000).key.Namespace + " " + l.next(20000).key.Namespace
	}
	if got := order() + ", " + order(); got != "b a, b a" {
		t.Errorf("with a suspect the order is %s, twice", got)
	}
	l.pardon()
	if got := order(); got != "a b" {
		t.Errorf("after the pardon the order is %s", got)
	}
}

// TestLine_share has a namespace with ten jobs meet one with a thousand, whose priorities are as high as can be: after twice ten turns the
// ten are through.
func TestLine_share(t *testing.T) {
	t.Parallel()
	l := newLine()
	for _, job := range slices.Concat(many("a", 1000, "p2000000000"), many("b", 10, "p-2000000000")) {
		l.add(waitingFor(t, job))
	}
	served := map[string]int{}
	for range 20 {
		served[l.next(20000).key.Namespace]++
	}
	if diff := cmp.Diff(map[string]int{"a": 10, "b": 10}, served); diff != "" {
		t.Errorf("of the first 20 turns (-want +got):\n%s", diff)
	}
}

// TestLine_scarce has a namespace with long jobs hold all ten places when another one comes: each place that becomes free goes to the
// newcomer until both have as many.
func TestLine_scarce(t *testing.T) {
	t.Parallel()
	l := newLine()
	for range 10 {
		l.occupy("a")
	}
	for _, job := range slices.Concat(many("a", 1000, "p9"), many("b", 1000, "")) {
		l.add(waitingFor(t, job))
	}
	places := map[string]int{"a": 10}
	for range 5 {
		l.vacate("a")
		places["a"]--
		c := l.next(1)
		l.occupy(c.key.Namespace)
		places[c.key.Namespace]++
	}
	if diff := cmp.Diff(map[string]int{"a": 5, "b": 5}, places); diff != "" {
		t.Errorf("places after five of a's jobs have ended (-want +got):\n%s", diff)
	}
}

// TestLine_trickle has a namespace bring one job at a time, each as soon as the last one was let in and has ended: it gets no more turns than
// one that has many waiting, and one job that is looked at again and again does not lose its turn.
func TestLine_trickle(t *testing.T) {
	t.Parallel()
	l := newLine()
	for _, job := range slices.Concat(many("a", 100, ""), many("b", 100, "")) {
		l.add(waitingFor(t, job))
	}
	served := map[string]int{}
	for i := range 60 {
		if _, waits := l.waiting["c/0"]; !waits {
			l.add(waitingFor(t, "c/0"))
		}
		l.add(waitingFor(t, "c/0 p1")) // its priority was changed
		c := l.next(20000)
		served[c.key.Namespace]++
		if i%2 == 0 {
			l.occupy(c.key.Namespace)
			l.vacate(c.key.Namespace)
		}
	}
	if diff := cmp.Diff(map[string]int{"a": 20, "b": 20, "c": 20}, served); diff != "" {
		t.Errorf("turns (-want +got):\n%s", diff)
	}
}

// slowNext is what next says, found by looking at everything that waits.
func slowNext(l *line, free int) *candidate {
	namespaces := map[string]struct{}{}
	for _, c := range l.waiting {
		namespaces[c.key.Namespace] = struct{}{}
	}
	before := (*queue).beforeByTurn
	if free < len(namespaces) {
		before = (*queue).beforeByPlaces
	}
	var best *candidate
	for _, c := range l.waiting {
		switch {
		case best == nil:
			best = c
		case c.key.Namespace == best.key.Namespace:
			if c.before(best) {
				best = c
			}
		case before(l.namespaces[c.key.Namespace], l.namespaces[best.key.Namespace]):
			best = c
		}
	}
	return best
}

// TestLine_random compares the line with a plain search, over random histories, and checks that nothing is left behind.
func TestLine_random(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		l := newLine()
		places := map[string]int{}
		for range 400 {
			namespace := string(rune('a' + random.IntN(6)))
			switch random.IntN(5) {
			case 0, 1:
				l.add(waitingFor(t, fmt.Sprintf("%s/%d t%d p%d", namespace, random.IntN(20), random.IntN(3), random.IntN(3))))
			case 2:
				l.remove(types.UID(fmt.Sprintf("%s/%d", namespace, random.IntN(20))))
			case 3:
				if places[namespace] > 0 {
					places[namespace]--
					l.vacate(namespace)
				}
			default:
				if l.len() == 0 {
					continue
				}
				free := 1 + random.IntN(6)
				want := slowNext(l, free).uid
				got := l.next(free)
				if got.uid != want {
					t.Fatalf("seed %d: %s goes next, want %s", seed, got.uid, want)
				}
				places[got.key.Namespace]++
				l.occupy(got.key.Namespace)
			}
		}
		for l.len() > 0 {
			l.next(1)
		}
		for namespace, n := range places {
			for range n {
				l.vacate(namespace)
			}
		}
		if len(l.namespaces)+len(l.waiting)+l.byTurn.Len()+l.byPlaces.Len()+len(l.byTurn.index) != 0 {
			t.Fatalf("seed %d: an empty line remembers %v", seed, slices.Collect(maps.Keys(l.namespaces)))
		}
	}
}

// BenchmarkLine lets jobs in and has others come, with as many waiting all the time. The ratio is what the largest crowd costs of the
// smallest; without order it would be 200.
func BenchmarkLine(b *testing.B) {
	crowds := []int{100, 20000}
	times := map[bool]float64{} // of the smallest crowd, by whether it is of one namespace
	for _, crowd := range crowds {
		for _, namespaces := range []int{1, crowd / 2} {
			b.Run(fmt.Sprintf("waiting=%d/namespaces=%d", crowd, namespaces), func(b *testing.B) {
				l := newLine()
				for i := range crowd {
					l.add(waitingFor(b, fmt.Sprintf("n%d/%d t%d", i%namespaces, i, i)))
				}
				b.ResetTimer()
				for range b.N {
					c := l.next(20000)
					l.occupy(c.key.Namespace)
					l.vacate(c.key.Namespace)
					l.add(c)
				}
				perTurn := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
				if crowd == crowds[0] {
					times[namespaces == 1] = perTurn
				}
				b.ReportMetric(perTurn/times[namespaces == 1], "x-of-100")
			})
		}
	}
}
