package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

// tiny is the smallest size in which every cell still does all its steps.
var tiny = form{
	seed:    1,
	verify:  true,
	send:    50 * time.Millisecond,
	backlog: 500,
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

var shared *server // set by TestMain

func TestMain(m *testing.M) {
	code, err := runTests(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		code = 1
	}
	os.Exit(code)
}

func runTests(m *testing.M) (code int, err error) {
	shared, err = startServer(context.Background(), os.Getenv(pgtest.URLVar), 6, true)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, shared.stop()) }()
	return m.Run(), nil
}

// another returns the shared server with another control connection, and a system
// installed there.
func another(t *testing.T, one *system) (*server, error) {
	control, err := pgx.Connect(t.Context(), shared.URL)
	if err != nil {
		return nil, err
	}
	s := &server{Server: shared.Server, conns: shared.conns, control: control, process: shared.process}
	t.Cleanup(func() {
		if err := s.uninstall(context.Background(), one); err != nil {
			t.Error(err)
		}
		control.Close(context.Background())
	})
	return s, s.install(t.Context(), one)
}

// TestEverySystemDeliversEachMessageOnceInEveryCell measures one variant of each cell,
// and drains the messages that the cell leaves.
func TestEverySystemDeliversEachMessageOnceInEveryCell(t *testing.T) {
	t.Parallel()
	var all sync.WaitGroup
	for _, system := range systems {
		all.Go(func() { tryEveryCell(t, system) })
	}
	all.Wait()
}

func tryEveryCell(t *testing.T, one *system) {
	own, err := another(t, one)
	if err != nil {
		t.Error(err)
		return
	}
	p := &plan{server: own, systems: []*system{one}, cells: cells, rounds: 1, form: tiny}
	for _, c := range cells {
		steps := p.steps(c)
		if len(steps) == 0 {
			continue
		}
		middle := steps[len(steps)/2]
		got := p.measure(t.Context(), middle)
		if got.Failure != "" {
			t.Errorf("%v: %s", middle, got.Failure)
			continue
		}
		for _, m := range c.columns {
			if value, ok := got.Values[m]; (!ok && m != recovery) || value < 0 {
				t.Errorf("%v: %s is %v", middle, m, value)
			}
		}
		for _, m := range []metric{rate, sendRate, bothSend, walPer, commitsPer} {
			if slices.Contains(c.columns, m) && got.Values[m] <= 0 {
				t.Errorf("%v: %s is %v", middle, m, got.Values[m])
			}
		}
	}
}
