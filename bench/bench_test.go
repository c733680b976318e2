package main

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// tiny is every cell in the smallest size that still does all that it does.
var tiny = form{
	seed:    1,
	verify:  true,
	send:    50 * time.Millisecond,
	backlog: 1500,
	drain:   time.Minute,
	steady:  time.Second,
	rates:   []float64{100},
	held:    [3]int{1, 1, 1},
	heldAt:  []float64{100},
	behind:  []int{500},
	queues:  3,
	many:    100,
	limit:   2 * time.Minute,
}

// TestEverySystemDeliversEachMessageOnceInEveryCell takes the last variant of
// each cell, and drains what the cell leaves.
func TestEverySystemDeliversEachMessageOnceInEveryCell(t *testing.T) {
	t.Parallel()
	s, err := startServer(t.Context(), os.Getenv(pgtest.URLVar), 8, true)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	var all sync.WaitGroup
	for _, system := range systems {
		all.Go(func() { tryEveryCell(t, s, system) })
	}
	all.Wait()
}

func tryEveryCell(t *testing.T, s *server, one *system) {
	control, err := pgx.Connect(t.Context(), s.URL)
	if err != nil {
		t.Error(err)
		return
	}
	defer control.Close(context.Background())
	own := &server{Server: s.Server, conns: s.conns, control: control, process: s.process}
	if err := own.install(t.Context(), one); err != nil {
		t.Error(err)
		return
	}
	p := &plan{server: own, systems: []*system{one}, cells: cells, rounds: 1, form: tiny}
	for _, c := range cells {
		steps := p.steps(c)
		if len(steps) == 0 {
			continue
		}
		last := steps[len(steps)-1]
		began := time.Now()
		got := p.measure(t.Context(), last)
		t.Log(last, time.Since(began))
		if got.Failure != "" {
			t.Errorf("%v: %s", last, got.Failure)
			continue
		}
		for _, m := range c.columns {
			if value, ok := got.Values[m]; (!ok && m != recovery) || value < 0 {
				t.Errorf("%v: %s is %v", last, m, value)
			}
		}
		for _, m := range []metric{rate, sendRate, readRate, walPer, commitsPer} {
			if slices.Contains(c.columns, m) && got.Values[m] <= 0 {
				t.Errorf("%v: %s is %v", last, m, got.Values[m])
			}
		}
	}
}
