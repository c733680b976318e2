package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgmq-go/pgmq/examples/quakes/internal/quakes"
	"github.com/pgmq-go/pgmq/internal/dial"
	"github.com/pgmq-go/pgmq/internal/feed"
	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/schema"
)

// run carries the lines of input, or the week without one, on the database of that
// URL, or on a Postgres of its own without one.
func run(ctx context.Context, s *screen, url, input string) (err error) {
	lines, err := openInput(input)
	if err != nil {
		return fmt.Errorf("--input: %w", err)
	}
	defer lines.Close()

	s.step("postgres", "finding or starting one …")
	server, err := postgres.Find(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	if url != "" {
		server.Origin = postgres.Redact(url)
	}
	config, err := dial.Parse(server.URL)
	if err != nil {
		return err
	}
	pool, err := dial.Pool(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	s.done("postgres", server.Origin)

	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	if err := schema.Migrate(ctx, db); err != nil {
		return err
	}
	s.done("schema", "pgmq, migrated")

	name := "pgmq_demo_" + strings.ToLower(rand.Text()[:8])
	dead := name + "_dead"
	for _, name := range []string{name, dead} {
		if err := create(ctx, pool, name); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, drop(ctx, pool, name)) }()
	}
	s.done("queues", name+", "+dead)

	// The week has a type of its own; other people's lines go through as they are.
	if input == "" {
		return carry(ctx, s, pool, name, dead, lines, func(q quakes.Quake) (quakes.Quake, bool) { return q, true })
	}
	return carry(ctx, s, pool, name, dead, lines, quakeIn)
}

// carry is the demo proper, for bodies of type T.
func carry[T any](ctx context.Context, s *screen, pool *pgxpool.Pool, name, dead string, lines io.Reader, quake func(T) (quakes.Quake, bool)) error {
	t := newTally()
	q, err := queue.New[T](pool, name, queue.Observe(t.observe))
	if err != nil {
		return err
	}
	d := demo[T]{pool: pool, queue: q, dead: dead, quake: quake, tally: t}

	stopProgress := s.progress(t)
	err = d.deliver(ctx, lines)
	stopProgress()
	s.complaints(t)
	if err != nil {
		return err
	}
	s.pictures(t)

	if t.counts.dead > 0 {
		deaths, err := postMortem(ctx, pool, dead)
		if err != nil {
			return err
		}
		s.deaths(deaths, t.counts.dead, dead)
		err = d.redrive(ctx, func(moved int64) { s.step("redrive", s.number(int(moved))+" moved back …") })
		if err != nil {
			return err
		}
		s.done("redrive", s.number(t.counts.redriven)+" moved back, and done by a handler that knows blasts")
	}

	s.report(t)
	left, err := countLeft(ctx, pool, name, dead)
	if err != nil {
		return err
	}
	if err := t.proof(left); err != nil {
		return err
	}
	s.proof(t)
	return nil
}

// quakeIn finds an earthquake in a line of somebody's file.
func quakeIn(line json.RawMessage) (quakes.Quake, bool) {
	var q quakes.Quake
	err := json.Unmarshal(line, &q)
	return q, err == nil && q.ID != "" && q.TimeMS != 0
}

func openInput(input string) (io.ReadCloser, error) {
	if input == "" {
		return io.NopCloser(strings.NewReader(quakes.JSONL())), nil
	}
	return feed.Open(input)
}

// create makes a queue that the demo will drop. It finishes even after ctrl-C: if
// it did not, nobody would know whether the queue exists.
func create(ctx context.Context, pool *pgxpool.Pool, name string) error {
	ctx, cancel := afterCtrlC(ctx)
	defer cancel()
	return admin.Create(ctx, pool, name)
}

// drop removes one of the demo's queues even after ctrl-C.
func drop(ctx context.Context, pool *pgxpool.Pool, name string) error {
	ctx, cancel := afterCtrlC(ctx)
	defer cancel()
	return admin.Drop(ctx, pool, name)
}

// afterCtrlC returns a context for making sure or cleaning up, whether ctx has
// ended or not.
func afterCtrlC(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}
