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
	// waitsLong is how long a visible message may wait for a reader.
	waitsLong = time.Hour
	// lookers look at queues at once, for as long as looking may take.
	lookers = 4
	looking = 20 * time.Second
)

// byIndex has no queue read through, however long it is and whatever its
// statistics say; and dead rows are walked past for a moment only.
const byIndex = `; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL statement_timeout = '1s'`

type messageFacts struct {
	Waits *time.Duration // since the first became visible; less than 0 when none is yet, nil when there is none
	Often int64          // how many were read 10 times or more
	Most  int64          // how often the worst was
	Worst int64          // its id
}

// messages looks at the oldest messages of each queue.
func messages(ctx context.Context, p *Patient) ([]Finding, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, looking, errors.New("there was no time left for it"))
	defer cancel()
	var mu sync.Mutex
	var found []Finding
	missed := map[string][]Finding{} // by the reason
	var looks errgroup.Group
	looks.SetLimit(lookers)
	for _, t := range p.tables {
		if !t.isQueue() || !t.There {
			continue
		}
		looks.Go(func() error {
			m, err := p.messagesOf(ctx, t)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				f := CouldNot(err)
				f.Queue = t.Queue
				missed[reason(err)] = append(missed[reason(err)], f)
				return nil
			}
			found = append(found, m.judge(t)...)
			return nil
		})
	}
	_ = looks.Wait() // each says itself what went wrong
	for _, of := range missed {
		found = append(found, together(of))
	}
	slices.SortStableFunc(found, byQueue)
	return found, nil
}

var errShut = errors.New("a lock is in the way")

func (p *Patient) messagesOf(ctx context.Context, t tableFacts) (m messageFacts, err error) {
	if p.shut[t.Queue] {
		return m, errShut
	}
	err = pgx.BeginTxFunc(ctx, p.pool, pgx.TxOptions{BeginQuery: careful + byIndex}, func(tx pgx.Tx) error {
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
	if m.Waits != nil && *m.Waits > waitsLong {
		found = append(found, Finding{
			Check: "unread",
			Level: Warning,
			Queue: t.Queue,
			What:  fmt.Sprintf("a message that anybody could read has waited for %s", long(*m.Waits)),
			Do:    "see whether its consumers run, and keep up; dead letters go back by pgmq redrive",
		})
	}
	if m.Often > 0 {
		f := Finding{
			Check: "poison",
			Level: Warning,
			Queue: t.Queue,
			What:  fmt.Sprintf("message %d was read %s times and never settled", m.Worst, number(m.Most)),
			Do:    "pgmq peek shows it, pgmq archive puts it aside; MaxReads and DeadLetterTo do so for consumers",
		}
		if m.Often > 1 {
			f.What += fmt.Sprintf(", and %d more of the oldest at least 10 times", m.Often-1)
		}
		found = append(found, f)
	}
	return found
}

// reason is the same for errors that differ in the name of a table only.
func reason(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return err.Error()
}

func byQueue(a, b Finding) int {
	return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Check, b.Check), cmp.Compare(a.What, b.What))
}

// together makes one finding of those that differ in the queue only.
func together(all []Finding) Finding {
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
