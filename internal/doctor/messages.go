package doctor

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"github.com/pgmq-go/pgmq/internal/table"
)

//go:embed sql/messages.sql
var messagesSQL string

const (
	// maxUnread is the longest that a visible message may wait for a reader.
	maxUnread = time.Hour
	// queuesAtOnce is the number of queues that are read at the same time.
	queuesAtOnce = 4
	// messagesTime limits the check of all queues.
	messagesTime = 20 * time.Second
)

// byIndex forces an index scan, so that no queue is read as a whole, for any
// length and statistics. It limits the time spent on skipping dead rows.
const byIndex = `; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL statement_timeout = '1s'`

type messageFacts struct {
	Waited   *time.Duration // since the first became visible
	Repeated int64          // the number of messages that were read 10 times or more
	MaxReads int64          // the reads of the message with the most
	WorstID  int64          // its id
}

// messages checks the oldest messages of each queue.
func messages(ctx context.Context, e *Examination) ([]Finding, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, messagesTime, errors.New("no time was left for this check"))
	defer cancel()
	var mu sync.Mutex
	var found []Finding
	failed := map[string][]Finding{} // by errorKey
	var group errgroup.Group
	group.SetLimit(queuesAtOnce)
	for _, t := range e.tables {
		if !t.isQueue() || !t.Exists {
			continue
		}
		group.Go(func() error {
			m, err := e.messagesOf(ctx, t)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				f := CouldNot(err)
				f.Queue = t.Queue
				failed[errorKey(err)] = append(failed[errorKey(err)], f)
				return nil
			}
			found = append(found, m.judge(t)...)
			return nil
		})
	}
	_ = group.Wait() // the errors are in failed
	for _, same := range failed {
		found = append(found, merge(same))
	}
	slices.SortStableFunc(found, byQueue)
	return found, nil
}

var errLocked = errors.New("a lock is in the way")

func (e *Examination) messagesOf(ctx context.Context, t tableFacts) (m messageFacts, err error) {
	if e.locked[t.Queue] {
		return m, errLocked
	}
	err = pgx.BeginTxFunc(ctx, e.pool, pgx.TxOptions{BeginQuery: beginReadOnly + byIndex}, func(tx pgx.Tx) error {
		rows, err := table.New(t.Queue).Bind(tx).Query(ctx, messagesSQL)
		if err != nil {
			return err
		}
		m, err = pgx.CollectExactlyOneRow(rows, pgx.RowToStructByName[messageFacts])
		return err
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return m, err
}

func (m messageFacts) judge(t tableFacts) []Finding {
	var found []Finding
	if m.Waited != nil && *m.Waited > maxUnread {
		found = append(found, Finding{
			Check: "unread",
			Level: Warning,
			Queue: t.Queue,
			What:  fmt.Sprintf("a visible message has waited for %s", seconds(*m.Waited)),
			Do:    "check that its consumers run and keep up; pgmq redrive sends dead letters back",
		})
	}
	if m.Repeated > 0 {
		f := Finding{
			Check: "poison",
			Level: Warning,
			Queue: t.Queue,
			What:  fmt.Sprintf("message %d was read %s times and never settled", m.WorstID, number(m.MaxReads)),
			Do:    "pgmq peek shows it, pgmq archive moves it away; MaxReads and DeadLetterTo do this for consumers",
		}
		if m.Repeated > 1 {
			f.What += fmt.Sprintf(", and %d more of the oldest at least 10 times", m.Repeated-1)
		}
		found = append(found, f)
	}
	return found
}

// errorKey returns the same key for errors that differ only in the name of a table.
func errorKey(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return err.Error()
}

func byQueue(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Check, b.Check), cmp.Compare(a.What, b.What))
}

// merge makes one finding out of those that differ only in the queue.
func merge(all []Finding) Finding {
	slices.SortFunc(all, byQueue)
	f := all[0]
	if len(all) == 1 {
		return f
	}
	const named = 5
	var names []string
	for _, one := range all[:min(named, len(all))] {
		names = append(names, fmt.Sprintf("%q", one.Queue))
	}
	if len(all) > named {
		names = append(names, "…")
	}
	f.Queue = ""
	f.What += fmt.Sprintf(" (%d queues: %s)", len(all), strings.Join(names, ", "))
	return f
}
