package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/tests/history"
	"github.com/pgmq-go/pgmq/tests/load"
)

// workerVar makes this program a worker, which the arena can kill. Its value is a
// workerSpec.
const workerVar = "PGMQ_CHAOS_WORKER"

// workerSpec describes the work of one worker.
type workerSpec struct {
	Name    string // of this life of it
	URL     string
	Seed    uint64
	Consume bool // else it produces
	Conns   int32
}

const (
	vt       = 2 * time.Second       // of every lease: how long a message waits after its process died
	every    = 40 * time.Millisecond // between two sends of one goroutine
	hogging  = syscall.SIGUSR1       // has a worker take its whole pool
	hogsFor  = 3 * vt / 4
	maxConns = 10
)

// work runs a worker until SIGTERM, or until the arena is gone.
func work(text string) error {
	var spec workerSpec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	config, err := pgxpool.ParseConfig(spec.URL)
	if err != nil {
		return err
	}
	config.MaxConns = spec.Conns
	config.ConnConfig.RuntimeParams["application_name"] = spec.Name
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	go hog(ctx, pool)
	slog.SetLogLoggerLevel(slog.LevelError)
	c := &load.Client{
		Pool: pool, Rec: history.NewRecorder(os.Stdout, spec.Name), Name: spec.Name, Seed: spec.Seed, VT: vt, Every: every,
	}
	if spec.Consume {
		err = c.Consume(ctx)
	} else {
		err = c.Produce(ctx)
	}
	if err == nil {
		err = c.Rec.Err()
	}
	return err // without closing the pool, which may wait for a server that is silent
}

// hog takes every connection of the pool for a while, whenever it is told to.
func hog(ctx context.Context, pool *pgxpool.Pool) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, hogging)
	for {
		select {
		case <-told:
		case <-ctx.Done():
			return
		}
		enough, cancel := context.WithTimeout(ctx, hogsFor)
		var all sync.WaitGroup
		for range pool.Config().MaxConns {
			all.Go(func() {
				conn, err := pool.Acquire(enough)
				if err == nil {
					<-enough.Done()
					conn.Release()
				}
			})
		}
		all.Wait()
		cancel()
	}
}

// workerMain ends the program if it is a worker.
func workerMain() {
	spec := os.Getenv(workerVar)
	if spec == "" {
		return
	}
	if err := work(spec); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
