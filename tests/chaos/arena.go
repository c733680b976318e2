package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/schema"
	"github.com/pgmq-go/pgmq/tests/history"
	"github.com/pgmq-go/pgmq/tests/load"
)

// arena is where one cell takes place: a server of its own, and the processes that
// use it.
type arena struct {
	cell   *cell
	rand   *rand.Rand // the events, and their times
	dir    string     // for files, gone afterwards
	server *postgres.Server
	url    string   // of the server, for workers
	binary string   // of workers
	env    []string // for workers
	conns  int32    // of a worker

	producers, consumers []*process
	cleanups             []func() error

	rec    *history.Recorder // for the arena's own operations
	mu     sync.Mutex
	file   *os.File
	out    *bufio.Writer
	lines  int
	faults int
}

// newArena opens the history.
func newArena(c *cell, seed uint64, path string) (*arena, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "pgmq-chaos-")
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	a := &arena{
		cell: c, rand: rand.New(rand.NewPCG(seed, 0)), dir: dir, binary: binary, conns: maxConns, file: file, out: bufio.NewWriter(file),
	}
	a.rec = history.NewRecorder(recordTo{a}, "arena")
	a.cleanup(func() error { return os.RemoveAll(dir) })
	return a, nil
}

// recordTo writes lines to the history of an arena.
type recordTo struct{ *arena }

func (r recordTo) Write(line []byte) (int, error) {
	r.record(line)
	return len(line), nil
}

// record adds a line to the history.
func (a *arena) record(line []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lines++
	_, _ = a.out.Write(line) // its error stays until close
}

// progress tells how many lines and faults there were so far.
func (a *arena) progress() (lines, faults int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lines, a.faults
}

// cleanup has f called at the end, the latest first.
func (a *arena) cleanup(f func() error) { a.cleanups = append(a.cleanups, f) }

func (a *arena) close() error {
	var errs []error
	for _, p := range a.workers() {
		if p.ended != nil { // it was started
			_ = p.kill()
		}
	}
	for i := len(a.cleanups) - 1; i >= 0; i-- {
		errs = append(errs, a.cleanups[i]())
	}
	return errors.Join(append(errs, a.out.Flush(), a.file.Close())...)
}

// fault injects a fault and mends it, and records when.
func (a *arena) fault(do func() error) error {
	e := history.Event{Op: history.Fault, How: a.cell.name, Begin: history.Now()}
	if err := do(); err != nil {
		return fmt.Errorf("%s: %w", a.cell.name, err)
	}
	a.rec.Note(e)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults++
	return nil
}

// again injects faults with pauses in between, until ctx is done.
func (a *arena) again(ctx context.Context, least, most time.Duration, do func() error) error {
	for sleep(ctx, a.between(least, most)) {
		if err := a.fault(do); err != nil {
			return err
		}
	}
	return nil
}

func (a *arena) between(least, most time.Duration) time.Duration {
	return least + time.Duration(a.rand.Int64N(int64(most-least)))
}

// sleep returns false if ctx ended meanwhile.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// open is a pool of the server, without the proxies that the workers use.
func (a *arena) open(ctx context.Context) (*pgxpool.Pool, error) {
	return pgxpool.New(ctx, a.server.URL)
}

// start starts the server, makes the queues, and starts the workers.
func (a *arena) start(ctx context.Context) error {
	var err error
	if a.server, err = a.cell.start(ctx, a); err != nil {
		return err
	}
	a.cleanup(func() error { return a.server.Stop() }) // of that time: a failover changes it
	pool, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	if err := schema.Migrate(ctx, db); err != nil {
		return err
	}
	if err := load.Prepare(ctx, pool); err != nil {
		return err
	}
	a.url = a.server.URL
	if a.cell.connect != nil {
		if err := a.cell.connect(ctx, a); err != nil {
			return err
		}
	}
	for i := range 3 {
		a.consumers = append(a.consumers, &process{a: a, consume: true, n: i})
	}
	for i := range 2 {
		a.producers = append(a.producers, &process{a: a, n: i})
	}
	for _, p := range a.workers() {
		if err := p.start(); err != nil {
			return err
		}
	}
	return nil
}

func (a *arena) workers() []*process { return slices.Concat(a.consumers, a.producers) }

// drain ends the producers, lets the consumers empty the queues, ends them, and
// takes the census.
func (a *arena) drain(ctx context.Context) error {
	var errs []error
	for _, p := range a.producers {
		errs = append(errs, p.end())
	}
	pool, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer pool.Close()
	left := int64(-1)
	for end := time.Now().Add(2 * patience); left != 0 && time.Now().Before(end) && sleep(ctx, 100*time.Millisecond); {
		if left, err = load.Left(ctx, pool); err != nil {
			left = -1 // it may still recover
		}
	}
	for _, p := range a.consumers {
		errs = append(errs, p.end())
	}
	// Messages left now are stuck: the census reports them.
	return errors.Join(append(errs, load.Census(ctx, pool, a.rec, true))...)
}

// path is a file of the arena.
func (a *arena) path(name string) string { return filepath.Join(a.dir, name) }
