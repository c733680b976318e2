package api

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// writeDead reads all messages of a queue, and moves them to the target.
func writeDead(t testing.TB, name, target string) []int64 {
	t.Helper()
	p := check.Receipts(t, name)
	p.Target = pgtype.Text{String: target, Valid: target != ""}
	written, err := db.New().DeadLetter(t.Context(), pgtest.Pool(), p)
	check.OK(t, err)
	slices.Sort(written)
	return written
}

// death is the header x-pgmq-dead-letter.
type death struct {
	Reason, Error, Queue string
	ID                   int64 `json:"msg_id"`
	Reads                int
	EnqueuedAt           time.Time `json:"enqueued_at"`
	DeadAt               time.Time `json:"dead_at"`
}

func deathOf(t testing.TB, m *queue.Message[int]) death {
	t.Helper()
	raw, err := json.Marshal(m.Headers["x-pgmq-dead-letter"])
	check.OK(t, err)
	var g death
	check.OK(t, json.Unmarshal(raw, &g))
	return g
}

func TestADeadLetterTellsWhereItComesFrom(t *testing.T) {
	check.Parallel(t)
	name, target := `Dead "`+pgtest.Name(), `Letters "`+pgtest.Name()
	source, dead := pgtest.Named[int](t, name), pgtest.Named[int](t, target)
	id := check.Send(t, source, 7, queue.Headers{"a": 1})
	check.ReadOne(t, source)
	check.Unhide(t, source)
	w := check.WaitsFor(t, target)
	before := check.ServerTime(t)
	sent := check.Value[time.Time](t, pgtest.Pool(), check.Tables(name, `SELECT enqueued_at FROM {Q}`))
	if written := writeDead(t, name, target); !slices.Equal(written, []int64{id}) {
		t.Fatalf("%v were written as dead letters, not %d", written, id)
	}
	check.Equal(t, "notifications of the target", w.Heard(t), 1)
	check.Equal(t, "messages left", check.Length(t, source), 0)
	m := check.ReadOne(t, dead)
	g := deathOf(t, m)
	check.Equal(t, "body", m.Body, 7)
	check.Equal(t, "reads of the dead letter", m.Reads, 1)
	check.Equal(t, "its own header", m.Headers["a"].(float64), 1)
	if g.DeadAt.Before(before) || !g.EnqueuedAt.Equal(sent) {
		t.Fatalf("enqueued at %v, not %v; dead at %v, not after %v", g.EnqueuedAt, sent, g.DeadAt, before)
	}
	g.EnqueuedAt, g.DeadAt = time.Time{}, time.Time{}
	check.Equal(t, "the header", g, death{Reason: "max reads", Error: "it broke", Queue: name, ID: id, Reads: 2})
}

func TestADeadLetterThatIsRedrivenAndDiesAgainKeepsItsFirstTime(t *testing.T) {
	check.Parallel(t)
	source, dead := pgtest.Queue[int](t), pgtest.Queue[int](t)
	check.Send(t, source, 7)
	writeDead(t, source.Name(), dead.Name())
	first := deathOf(t, check.ReadOne(t, dead))
	check.Unhide(t, dead)
	w := check.WaitsFor(t, source.Name())
	redriven, err := db.New().Redrive(t.Context(), pgtest.Pool(), db.RedriveParams{Source: dead.Name(), Target: source.Name(), N: 10})
	check.OK(t, err)
	check.Equal(t, "redriven", len(redriven), 1)
	check.Equal(t, "notifications of the target", w.Heard(t), 1)
	m := check.ReadOne(t, source)
	check.Unhide(t, source)
	check.Equal(t, "what it tells after the redrive", deathOf(t, m), first)
	check.ReadOne(t, source)
	check.Unhide(t, source)
	writeDead(t, source.Name(), dead.Name())
	again := deathOf(t, check.ReadOne(t, dead))
	check.Equal(t, "the first time", again.EnqueuedAt, first.EnqueuedAt)
	check.Equal(t, "reads", again.Reads, 3)
	check.Equal(t, "id", again.ID, m.ID)
	check.Equal(t, "whether it died later", again.DeadAt.After(first.DeadAt), true)
}

func TestWritingADeadLetterIsFencedByTheReceipt(t *testing.T) {
	check.Parallel(t)
	source, dead := pgtest.Queue[int](t), pgtest.Queue[int](t)
	sent := check.SendBatch(t, source, []int{1, 2, 3})
	p := check.Receipts(t, source.Name())
	check.Exec(t, pgtest.Pool(), check.Tables(source.Name(), `UPDATE {Q} SET read_ct = 2 WHERE msg_id = $1`), sent[0])
	check.Exec(t, pgtest.Pool(), check.Tables(source.Name(), `UPDATE {Q} SET last_read_at = now() WHERE msg_id = $1`), sent[1])
	for _, target := range []pgtype.Text{{}, {String: dead.Name(), Valid: true}} {
		p.Target = target
		written, err := db.New().DeadLetter(t.Context(), pgtest.Pool(), p)
		check.OK(t, err)
		if !target.Valid {
			check.Equal(t, "the one that was moved", written[0], sent[2])
		}
		check.Equal(t, "messages left", check.Length(t, source), 2)
	}
	check.Equal(t, "dead letters", check.Length(t, dead), 0)
}

func TestDeadLettersAndRedriveToNoQueueLoseNothing(t *testing.T) {
	check.Parallel(t)
	source := pgtest.Queue[int](t)
	check.SendBatch(t, source, []int{1, 2, 3})
	_, err := db.New().Redrive(t.Context(), pgtest.Pool(), db.RedriveParams{Source: source.Name(), Target: "no such", N: 10})
	check.SQLState(t, err, "42P01")
	p := check.Receipts(t, source.Name())
	p.Target = pgtype.Text{String: "no such", Valid: true}
	_, err = db.New().DeadLetter(t.Context(), pgtest.Pool(), p)
	check.SQLState(t, err, "42P01")
	check.Equal(t, "messages", check.Length(t, source), 3)
}

func TestHeadersThatAreNoObjectAreKept(t *testing.T) {
	check.Parallel(t)
	source, dead := pgtest.Queue[int](t).Name(), pgtest.Queue[int](t).Name()
	for _, headers := range []string{`NULL`, `'[1, 2]'`, `'"text"'`, `'{"x-pgmq-dead-letter": 5}'`, `'{"x-pgmq-dead-letter": {"enqueued_at": 5}}'`} {
		check.Exec(t, pgtest.Pool(), `SELECT pgmq.send($1, '1', `+headers+`::jsonb)`, source)
	}
	writeDead(t, source, dead)
	check.Same(t, "headers", check.Values[string](t, pgtest.Pool(), check.Tables(dead, `
		SELECT (headers - 'x-pgmq-dead-letter')::text || ' ' || jsonb_typeof(headers #> '{x-pgmq-dead-letter, enqueued_at}') FROM {Q} ORDER BY msg_id`)),
		[]string{`{} string`, `{"x-pgmq-headers": [1, 2]} string`, `{"x-pgmq-headers": "text"} string`, `{} string`, `{} string`})
}

func TestADeadLetterWithoutATargetIsArchived(t *testing.T) {
	check.Parallel(t)
	source := pgtest.Queue[int](t)
	id := check.Send(t, source, 7, queue.Headers{"a": 1})
	row := check.Tables(source.Name(), `SELECT row(msg_id, read_ct + 1, enqueued_at, message)::text FROM {Q}`)
	was := check.Value[string](t, pgtest.Pool(), row)
	writeDead(t, source.Name(), "")
	check.Equal(t, "messages left", check.Length(t, source), 0)
	check.Equal(t, "the archive", check.Value[string](t, pgtest.Pool(), check.Tables(source.Name(), `SELECT row(msg_id, read_ct, enqueued_at, message)::text FROM {A} WHERE last_read_at IS NOT NULL AND vt > now()`)), was)
	check.Equal(t, "its header", check.Value[int64](t, pgtest.Pool(), check.Tables(source.Name(), `SELECT (headers #>> '{x-pgmq-dead-letter, msg_id}')::bigint FROM {A} WHERE headers @> '{"a": 1}'`)), id)
}

func TestRedriveMovesWhatMatchesOldestFirst(t *testing.T) {
	check.Parallel(t)
	pool := pgtest.Pool()
	for what, c := range map[string]struct {
		params db.RedriveParams
		want   []int64
	}{
		"all":             {db.RedriveParams{N: 100}, []int64{1, 2, 3, 4, 5, 6}},
		"two":             {db.RedriveParams{N: 2}, []int64{1, 2}},
		"by id":           {db.RedriveParams{N: 100, OnlyIDs: []int64{5, 2, 99, 7}}, []int64{2, 5}},
		"no id":           {db.RedriveParams{N: 100, OnlyIDs: []int64{}}, nil},
		"by body":         {db.RedriveParams{N: 100, Body: json.RawMessage(`{"even": true}`)}, []int64{2, 4, 6}},
		"by reason":       {db.RedriveParams{N: 100, Reason: pgtype.Text{String: "bad", Valid: true}}, []int64{3, 6}},
		"by all of these": {db.RedriveParams{N: 1, OnlyIDs: []int64{2, 3, 4, 6}, Body: json.RawMessage(`{"even": true}`), Reason: pgtype.Text{String: "bad", Valid: true}}, []int64{6}},
		"by time":         {db.RedriveParams{N: 100, Until: new(time.Unix(1000, 0))}, []int64{1, 2}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dead, target := pgtest.Queue[int](t).Name(), pgtest.Queue[int](t).Name()
			// The seventh is hidden, and somebody holds the eighth.
			check.Exec(t, pool, check.Tables(dead, `
				INSERT INTO {Q} (vt, enqueued_at, message, headers)
				SELECT now() + CASE i WHEN 7 THEN interval '1 hour' ELSE '0' END, CASE WHEN i <= 2 THEN to_timestamp(1000) ELSE now() END,
					jsonb_build_object('i', i, 'even', i % 2 = 0),
					jsonb_build_object('x-pgmq-dead-letter', jsonb_build_object('reason', CASE i % 3 WHEN 0 THEN 'bad' ELSE 'max reads' END))
				FROM generate_series(1, 8) AS i ORDER BY i`))
			holder := check.Connection(t, pool)
			check.Exec(t, holder, `BEGIN`)
			check.Exec(t, holder, check.Tables(dead, `SELECT FROM {Q} WHERE msg_id = 8 FOR UPDATE`))
			c.params.Source, c.params.Target = dead, target
			waiting, cancel := context.WithTimeout(t.Context(), check.Patience)
			defer cancel()
			redriven, err := db.New().Redrive(waiting, pool, c.params)
			check.OK(t, err)
			if !slices.Equal(redriven, c.want) {
				t.Fatalf("%v were redriven, not %v", redriven, c.want)
			}
			moved := check.Values[int64](t, pool, check.Tables(target, `SELECT (message->>'i')::bigint FROM {Q} WHERE vt <= now() AND headers ? 'x-pgmq-dead-letter' ORDER BY msg_id`))
			if !slices.Equal(moved, redriven) {
				t.Fatalf("the target has %v, not %v", moved, redriven)
			}
			check.Equal(t, "messages left", check.Value[int](t, pool, check.Tables(dead, `SELECT count(*)::int FROM {Q}`)), 8-len(redriven))
		})
	}
}
