package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"
)

// system is one of the queues that the bench compares.
type system struct {
	name  string // in flags, tables and charts
	about string // in one line: the thing measured
	// workers is how many suit it best, for cells that leave the number to the system.
	workers int
	// cannot has the reason why a cell, or a variant of one ("c best"), is left out.
	cannot map[string]string
	// install creates its tables in an empty database.
	install func(ctx context.Context, pool *pgxpool.Pool) error
	// reset is a statement that restores the tables to the state after install.
	reset string
	// open creates queues in such a database, and returns a client for them.
	open func(ctx context.Context, p pools, queues int) (client, error)
}

// pools are the connections of a client: one pool to send and one to consume, of the
// same size, as two processes have them.
type pools struct {
	send, consume *pgxpool.Pool
}

// client sends to and consumes from the queues of one system, which are numbered
// from 0. It is safe for concurrent use.
type client interface {
	// send returns when the message is durable.
	send(ctx context.Context, queue int, b body) error
	// sendBatch returns when all are durable.
	sendBatch(ctx context.Context, queue int, bodies []body) error
	// consume passes the messages of all queues to handle until ctx is done. It
	// returns when all handled messages are settled.
	consume(ctx context.Context, workers int, handle func(body)) error
}

// systems are all systems, in the order of tables and legends.
var systems = []*system{pgmqGo, pgmqSQL, pgmqSQLOne, pgmqThen, riverQueue, gueQueue, bareTable, copyLimit}

// systemsOf returns the systems of a comma-separated list of names, or all for "".
func systemsOf(names string) ([]*system, error) {
	if names == "" {
		return systems, nil
	}
	var chosen []*system
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(systems, func(s *system) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown system %q: use %s", name, strings.Join(systemNames(), ", "))
		}
		chosen = append(chosen, systems[i])
	}
	return chosen, nil
}

func systemNames() []string {
	var names []string
	for _, s := range systems {
		names = append(names, s.name)
	}
	return names
}

// queueName returns the name of queue number queue.
func queueName(queue int) string { return fmt.Sprintf("bench_%d", queue) }

// pollPause is how long a polling worker waits after it found nothing.
const pollPause = 10 * time.Millisecond

// poll runs workers that take messages until ctx is done. The workers divide the
// queues among them, and several may share one. A worker whose queues were all empty
// waits for pollPause. The ctx of take is never done, so that take always finishes.
func poll(ctx context.Context, workers, queues int, take func(ctx context.Context, queue int) (n int, err error)) error {
	work, failed := errgroup.WithContext(ctx)
	for worker := range workers {
		work.Go(func() error {
			for failed.Err() == nil {
				total := 0
				for queue := worker % queues; queue < queues && failed.Err() == nil; queue += workers {
					took, err := take(context.WithoutCancel(ctx), queue)
					if err != nil {
						return err
					}
					total += took
				}
				if total == 0 {
					pause(failed, pollPause)
				}
			}
			return nil
		})
	}
	return work.Wait()
}

// pause waits for d, or until ctx is done.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
