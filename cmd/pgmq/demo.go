package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/internal/quakes"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/schema"
)

func demoCommand(t *target) *cobra.Command {
	var input string
	demo := &cobra.Command{
		Use:   "demo",
		Short: "Carry a week of earthquakes through a queue and show what happened",
		Long: strings.TrimSpace(`
Carry a week of the world's earthquakes through a queue: send each as a message
and have two consumers handle them. Some handlers fail on purpose, and their
messages come back; one of the consumers stops on the way, and the other goes
on. What is no earthquake ends in a dead-letter queue, is shown, redriven, and
handled by a handler that knows it. The proof at the end: each was settled
exactly once, and none is left.

Without a database it starts a private Postgres, which is gone when the demo
ends. On a given database it installs schema pgmq and uses two queues of its
own, which it drops at the end.`),
		Example: `  pgmq demo
  pgmq demo --input events.jsonl
  tail -n 1000 events.jsonl | pgmq demo --input -`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), newScreen(), t.url(), input)
		},
	}
	demo.Flags().StringVar(&input, "input", "", "carry the lines of this file instead; - is standard input")
	completeFiles(demo, "input")
	return demo
}

func runDemo(ctx context.Context, s *screen, url, input string) (err error) {
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
	config, err := parse(server.URL)
	if err != nil {
		return err
	}
	pool, err := dial(ctx, config)
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
		if err := createOwn(ctx, pool, name); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, dropDemo(ctx, pool, name)) }()
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
	q, err := queue.New[T](pool, name)
	if err != nil {
		return err
	}
	d := demo[T]{pool: pool, queue: q.Observe(t.observe), dead: dead, quake: quake, tally: t}

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
	return openLines(input)
}

// createOwn makes a queue that this command will drop. It finishes even after
// ctrl-C: of one that may be there or not nobody would know whether to drop it.
func createOwn(ctx context.Context, pool *pgxpool.Pool, name string) error {
	ctx, cancel := afterCtrlC(ctx)
	defer cancel()
	return queue.Create(ctx, pool, name)
}

// dropDemo removes one of the demo's queues even after ctrl-C.
func dropDemo(ctx context.Context, pool *pgxpool.Pool, name string) error {
	ctx, cancel := afterCtrlC(ctx)
	defer cancel()
	return queue.Drop(ctx, pool, name)
}
