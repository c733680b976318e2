package model

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

func byGo(t *testing.T, db queue.DB, name string) client {
	q, err := queue.New[numbered](db, name)
	if err != nil {
		t.Fatal(err)
	}
	return goClient{db, q}
}

// run is one sequence of calls.
type run struct {
	ctx     context.Context
	name    string
	clients []client
	model   *model
	sent    []int64    // all ids that there ever were
	read    []delivery // all reads that there ever were, by clients that fence
}

func compare(t *testing.T, clients func(name string, conn queue.DB) []client) {
	t.Helper()
	conn, err := pgtest.Pool().Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Release)
	name := pgtest.Queue[numbered](t).Name()
	rapid.Check(t, func(t *rapid.T) {
		r := &run{ctx: t.Context(), name: name, clients: clients(name, conn.Conn()), model: newModel()}
		r.exec(t, `DELETE FROM {Q}; DELETE FROM {A}; ALTER SEQUENCE {Q}_msg_id_seq RESTART`) // faster than TRUNCATE
		t.Repeat(map[string]func(*rapid.T){
			"":             r.compare,
			"time passes":  r.pass,
			"send":         by(r, r.send),
			"send batch":   by(r, r.sendBatch),
			"read":         by(r, r.readSome),
			"read again":   by(r, r.readSome), // more often than the others
			"read where":   by(r, r.readWhere),
			"pop":          by(r, r.pop),
			"settle":       by(r, r.settle),
			"settle by id": by(r, r.settleID),
			"purge":        by(r, r.purge),
			"count":        by(r, r.count),
		})
	})
}

// tables puts the queue's tables into sql.
func (r *run) tables(sql string) string {
	return strings.NewReplacer("{Q}", "pgmq.q_"+r.name, "{A}", "pgmq.a_"+r.name).Replace(sql)
}

func (r *run) exec(t *rapid.T, sql string, args ...any) {
	t.Helper()
	if _, err := pgtest.Pool().Exec(r.ctx, r.tables(sql), args...); err != nil {
		t.Fatal(err)
	}
}

// by has a client that is able to, take an action; now and then in a transaction
// that is rolled back.
func by[C client](r *run, action func(*rapid.T, C)) func(*rapid.T) {
	return func(t *rapid.T) {
		var able []C
		for _, c := range r.clients {
			if c, can := c.(C); can {
				able = append(able, c)
			}
		}
		if len(able) == 0 {
			t.SkipNow()
		}
		who := rapid.IntRange(0, len(able)-1).Draw(t, "client")
		if !rapid.SampledFrom([]bool{false, false, false, true}).Draw(t, "in a transaction that is rolled back") {
			action(t, able[who])
			return
		}
		before := r.model.clone()
		err := pgx.BeginFunc(r.ctx, pgtest.Pool(), func(tx pgx.Tx) error {
			action(t, able[who].within(tx).(C))
			return errRollBack
		})
		if !errors.Is(err, errRollBack) {
			t.Fatal(err)
		}
		before.leases = r.model.leases // receipts given in there never hold again
		r.model = before
	}
}

var errRollBack = errors.New("roll back")

// pass lets hours pass for the queue: it moves its times back.
func (r *run) pass(t *rapid.T) {
	n := rapid.IntRange(1, 4).Draw(t, "hours")
	r.exec(t, `UPDATE {Q} SET vt = vt - $1 * interval '1 hour'`, n)
	r.model.now += n
}

// compare looks at the tables.
func (r *run) compare(t *rapid.T) {
	r.compareTable(t, "{Q}", r.model.queue)
	r.compareTable(t, "{A}", r.model.archive)
}

func (r *run) compareTable(t *rapid.T, table string, want map[int64]entry) {
	rows, err := pgtest.Pool().Query(r.ctx, r.tables(`
			SELECT msg_id, read_ct, (message->>'n')::int, coalesce((headers->>'h')::int, 0),
				round(date_part('epoch', vt - statement_timestamp()) / 3600)::int
			FROM `+table+` ORDER BY msg_id`))
	if err != nil {
		t.Fatal(err)
	}
	var id int64
	var e entry
	there := 0
	_, err = pgx.ForEachRow(rows, []any{&id, &e.reads, &e.body, &e.header, &e.visibleAt}, func() error {
		there++
		w, expected := want[id]
		if !expected {
			return fmt.Errorf("message %d is in %s", id, table)
		}
		w.lease = 0 // settlings check it instead
		if e.visibleAt += r.model.now; table == "{A}" {
			e.visibleAt = w.visibleAt // is of no use there, and stands still
		}
		if e != w {
			return fmt.Errorf("message %d in %s is %+v, not %+v", id, table, e, w)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if there != len(want) {
		t.Fatalf("%d messages in %s, not %d", there, table, len(want))
	}
}
