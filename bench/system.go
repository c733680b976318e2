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

// system is one of the queues that are compared.
type system struct {
	name  string // in flags, tables and charts
	about string // what is measured, in a line
	// workers is how many it works best with when the cell leaves it to the system.
	workers int
	// cannot says why a cell, or a variant of one ("c best"), is left out.
	cannot map[string]string
	// install makes its tables in an empty database.
	install func(ctx context.Context, pool *pgxpool.Pool) error
	// reset is a statement that leaves the tables as install made them.
	reset string
	// open makes some queues in such a database, and a client for them.
	open func(ctx context.Context, p pools, queues int) (client, error)
}

// pools are what a client has: one to send with and one to consume with, of the
// same size, as two processes would have.
type pools struct {
	send, consume *pgxpool.Pool
}

// client sends to and consumes from the queues of one system, which are numbered
// from 0. Its methods may be called from many goroutines.
type client interface {
	// send returns when the message is durable.
	send(ctx context.Context, queue int, b body) error
	// sendBatch returns when all are durable.
	sendBatch(ctx context.Context, queue int, bodies []body) error
	// consume hands the messages of all queues to handle until ctx is done, and
	// returns when what was handled is settled.
	consume(ctx context.Context, workers int, handle func(body)) error
}

// systems are all that there are, in the order of tables and legends.
var systems = []*system{pgmqGo, pgmqSQL, pgmqSQLOne, pgmqThen, riverQueue, gueQueue, bareTable, copyLimit}

// systemsOf returns the systems of a list of names; all of them for "".
func systemsOf(names string) ([]*system, error) {
	if names == "" {
		return systems, nil
	}
	var chosen []*system
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(systems, func(s *system) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no system %q; there are %s", name, strings.Join(systemNames(), ", "))
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

// queueName names the queue with a number.
func queueName(queue int) string { return fmt.Sprintf("bench_%d", queue) }

// pollPause is how long a consumer that polls waits when it found nothing.
const pollPause = 10 * time.Millisecond

// poll has workers take messages from all queues, by turns, until ctx is done. A
// worker whose queues were all empty waits for pollPause. What take began it
// finishes: its ctx is never done.
func poll(ctx context.Context, workers, queues int, take func(ctx context.Context, queue int) (took int, err error)) error {
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
