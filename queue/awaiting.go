package queue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// awaiting is how the announcements of a queue's table are asked for.
type awaiting struct {
	awaited bool          // senders announce
	asked   time.Time     // when they were last asked to, or need not be
	rest    time.Duration // how long after that they may be asked again
	spell   int           // how often they have ceased to
	heard   int           // announcements
	looked  time.Time     // when a consumer last looked though nothing was announced
}

// await has senders to a queue announce from now on, for which the bell rings,
// until they do so too often, or while nobody waits. If they do not yet, it waits
// until they have had their rest since they last were asked to.
func (l *listener) await(ctx context.Context, table string) error {
	t := l.of(table)
	if t.awaited {
		return nil
	}
	if !sleep(ctx, time.Until(t.asked.Add(t.rest))) {
		return context.Cause(ctx)
	}
	return l.do(ctx, func(ctx context.Context, conn *pgx.Conn) error {
		if l.of(table).awaited {
			return nil // another consumer has asked meanwhile
		}
		err := queries.Await(ctx, conn, table)
		if err == nil {
			l.table(table, func(t *awaiting) { t.awaited, t.asked = true, time.Now() })
		}
		return err
	})
}

// found and missed tell how a look at a queue went, which any consumer had: what
// nobody can read, such as delayed messages, should not be announced often, nor
// looked for when a look costs much because it reads past all that is hidden.
func (l *listener) found(table string) {
	l.table(table, func(t *awaiting) { t.rest = restTime })
}

func (l *listener) missed(table string, cost time.Duration) {
	l.table(table, func(t *awaiting) {
		t.rest = max(min(2*t.rest, longRest), restTime, min(costly*(cost-anyLook), longestRest))
	})
}

// mayLook tells whether a consumer should look at a queue though nothing was
// announced: no other has, for a while.
func (l *listener) mayLook(table string, while time.Duration) bool {
	before := l.table(table, func(t *awaiting) {
		if time.Since(t.looked) > while {
			t.looked = time.Now()
		}
	})
	return time.Since(before.looked) > while
}

// saw notes that all transactions before an id have ended, which holds for the
// queues of all consumers.
func (l *listener) saw(ended int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended, l.told = max(l.ended, ended), time.Now()
}

// mayHaveEnded tells whether the transactions before an id may have ended by now:
// they have, or nobody has seen for a while how far it is.
func (l *listener) mayHaveEnded(id int64, while time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended >= id || time.Since(l.told) >= while
}

// hear notes an announcement, and tells whether it is the last: who announces
// what nobody waits for, or more often than is asked for, is not to go on.
func (t *awaiting) hear(waitedFor bool) (last bool) {
	t.heard++
	if !t.awaited {
		return false // it is for others
	}
	if !waitedFor || time.Since(t.asked) < t.rest {
		t.cease()
		return true
	}
	t.asked = time.Now()
	return false
}

// cease notes that senders do not announce any more.
func (t *awaiting) cease() {
	t.awaited = false
	t.spell++
}

// of returns how a table is awaited.
func (l *listener) of(table string) awaiting {
	return l.table(table, func(*awaiting) {})
}

// table changes how a table is awaited, and returns how it was before.
func (l *listener) table(table string, change func(*awaiting)) awaiting {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.tables[table]
	if t == nil {
		t = &awaiting{}
		l.tables[table] = t
	}
	before := *t
	change(t)
	return before
}
