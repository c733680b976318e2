package sql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// api is one of the two ways into a queue: the Go API, or the SQL functions.
// Both perform their common operations alike.
type api interface {
	create(ctx context.Context, name string, storage admin.Storage) error
	drop(ctx context.Context, name string) (bool, error)
	purge(ctx context.Context, name string) (int64, error)
	list(ctx context.Context) ([]string, error)
	send(ctx context.Context, name string, bodies []string, headers string, delay time.Duration) ([]int64, error)
	sendAt(ctx context.Context, name, body string, at time.Time) (int64, error)
	read(ctx context.Context, name string, vt time.Duration, n int) ([]delivery, error)
	pop(ctx context.Context, name string) ([]delivery, error)
	remove(ctx context.Context, name string, ids ...int64) ([]int64, error)
	archive(ctx context.Context, name string, ids ...int64) ([]int64, error)
	setVT(ctx context.Context, name string, vt time.Duration, ids ...int64) ([]int64, error)
	lengths(ctx context.Context, name string) (all, visible int64, err error)
}

// delivery is a message as both APIs hand it out.
type delivery struct {
	id                    int64
	reads                 int
	body, headers         string // "" for NULL
	enqueuedAt, visibleAt time.Time
}

// text is all of it but the times.
func (d delivery) text() string {
	return fmt.Sprintf("%d, read %d: %s %s", d.id, d.reads, d.body, d.headers)
}

// goAPI is package queue.
type goAPI struct{ db queue.DB }

func (d goAPI) open(name string) *queue.Queue[json.RawMessage] {
	q, err := queue.New[json.RawMessage](d.db, name)
	if err != nil {
		panic(err) // the names of the tests can be queues'
	}
	return q
}

func (d goAPI) create(ctx context.Context, name string, storage admin.Storage) error {
	return admin.Create(ctx, d.db, name, storage)
}

func (d goAPI) drop(ctx context.Context, name string) (bool, error) {
	err := admin.Drop(ctx, d.db, name)
	if errors.Is(err, queue.ErrNoQueue) {
		return false, nil
	}
	return err == nil, err
}

func (d goAPI) purge(ctx context.Context, name string) (int64, error) {
	return admin.Purge(ctx, d.db, name)
}

func (d goAPI) list(ctx context.Context) ([]string, error) {
	infos, err := admin.List(ctx, d.db)
	var all []string
	for _, info := range infos {
		all = append(all, fmt.Sprint(info.Name, " ", info.Partitioned, " ", info.Storage == admin.Unlogged))
	}
	return all, err
}

func (d goAPI) sendAt(ctx context.Context, name, body string, at time.Time) (int64, error) {
	return d.open(name).Send(ctx, json.RawMessage(body), queue.At(at))
}

func (d goAPI) send(ctx context.Context, name string, bodies []string, headers string, delay time.Duration) ([]int64, error) {
	raws := make([]json.RawMessage, len(bodies))
	for i, body := range bodies {
		raws[i] = json.RawMessage(body)
	}
	var h queue.Headers
	if err := json.Unmarshal([]byte(headers), &h); err != nil {
		return nil, err
	}
	return d.open(name).SendBatch(ctx, raws, h, queue.Delay(delay))
}

func (d goAPI) read(ctx context.Context, name string, vt time.Duration, n int) ([]delivery, error) {
	msgs, err := d.open(name).Read(ctx, n, queue.VT(vt))
	return deliveries(msgs), err
}

func (d goAPI) pop(ctx context.Context, name string) ([]delivery, error) {
	msgs, err := d.open(name).Pop(ctx, 1)
	return deliveries(msgs), err
}

func deliveries(msgs []*queue.Message[json.RawMessage]) []delivery {
	var all []delivery
	for _, m := range msgs {
		all = append(all, delivery{m.ID, m.Reads, string(m.Body), string(m.RawHeaders()), m.EnqueuedAt, m.VisibleAt})
	}
	return all
}

func (d goAPI) remove(ctx context.Context, name string, ids ...int64) ([]int64, error) {
	return d.open(name).DeleteID(ctx, ids...)
}

func (d goAPI) archive(ctx context.Context, name string, ids ...int64) ([]int64, error) {
	return d.open(name).ArchiveID(ctx, ids...)
}

func (d goAPI) setVT(ctx context.Context, name string, vt time.Duration, ids ...int64) ([]int64, error) {
	return d.open(name).SetVTID(ctx, vt, ids...)
}

func (d goAPI) lengths(ctx context.Context, name string) (all, visible int64, err error) {
	s, err := admin.Stats(ctx, d.db, name)
	return s.Length, s.Visible, err
}

// sqlAPI is the functions in schema pgmq.
type sqlAPI struct{ db queue.DB }

// selectDelivery reads the columns that toDelivery takes.
const selectDelivery = `SELECT msg_id, read_ct, coalesce(message::text, ''), coalesce(headers::text, ''), enqueued_at, vt FROM pgmq.`

func rowsOf[V any](ctx context.Context, db queue.DB, scan pgx.RowToFunc[V], sql string, args ...any) ([]V, error) {
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scan)
}

func oneOf[V any](ctx context.Context, db queue.DB, sql string, args ...any) (V, error) {
	all, err := rowsOf(ctx, db, pgx.RowTo[V], sql, args...)
	if err != nil {
		return *new(V), err
	}
	return all[0], nil
}

func toDelivery(row pgx.CollectableRow) (delivery, error) {
	var d delivery
	err := row.Scan(&d.id, &d.reads, &d.body, &d.headers, &d.enqueuedAt, &d.visibleAt)
	return d, err
}

func (d sqlAPI) create(ctx context.Context, name string, storage admin.Storage) error {
	sql := `SELECT pgmq.create($1)`
	if storage == admin.Unlogged {
		sql = `SELECT pgmq.create_unlogged($1)`
	}
	_, err := d.db.Exec(ctx, sql, name)
	return err
}

func (d sqlAPI) drop(ctx context.Context, name string) (bool, error) {
	return oneOf[bool](ctx, d.db, `SELECT pgmq.drop_queue($1)`, name)
}

func (d sqlAPI) purge(ctx context.Context, name string) (int64, error) {
	return oneOf[int64](ctx, d.db, `SELECT pgmq.purge_queue($1)`, name)
}

func (d sqlAPI) list(ctx context.Context) ([]string, error) {
	return rowsOf(ctx, d.db, pgx.RowTo[string],
		`SELECT concat_ws(' ', queue_name, is_partitioned::text, is_unlogged::text) FROM pgmq.list_queues() ORDER BY queue_name COLLATE "C"`)
}

func (d sqlAPI) sendAt(ctx context.Context, name, body string, at time.Time) (int64, error) {
	return oneOf[int64](ctx, d.db, `SELECT * FROM pgmq.send($1, $2::jsonb, $3::timestamptz)`, name, body, at)
}

func (d sqlAPI) send(ctx context.Context, name string, bodies []string, headers string, delay time.Duration) ([]int64, error) {
	return rowsOf(ctx, d.db, pgx.RowTo[int64],
		`SELECT * FROM pgmq.send_batch($1, $2::jsonb[], array_fill(nullif($3, 'null')::jsonb, ARRAY[cardinality($2::jsonb[])]), $4::integer)`,
		name, bodies, headers, int(delay.Seconds()))
}

func (d sqlAPI) read(ctx context.Context, name string, vt time.Duration, n int) ([]delivery, error) {
	return rowsOf(ctx, d.db, toDelivery, selectDelivery+`read($1, $2, $3)`, name, int(vt.Seconds()), n)
}

func (d sqlAPI) pop(ctx context.Context, name string) ([]delivery, error) {
	return rowsOf(ctx, d.db, toDelivery, selectDelivery+`pop($1)`, name)
}

func (d sqlAPI) remove(ctx context.Context, name string, ids ...int64) ([]int64, error) {
	return rowsOf(ctx, d.db, pgx.RowTo[int64], `SELECT pgmq.delete($1, $2::bigint[])`, name, ids)
}

func (d sqlAPI) archive(ctx context.Context, name string, ids ...int64) ([]int64, error) {
	return rowsOf(ctx, d.db, pgx.RowTo[int64], `SELECT pgmq.archive($1, $2::bigint[])`, name, ids)
}

func (d sqlAPI) setVT(ctx context.Context, name string, vt time.Duration, ids ...int64) ([]int64, error) {
	return rowsOf(ctx, d.db, pgx.RowTo[int64], `SELECT msg_id FROM pgmq.set_vt($1, $2::bigint[], $3::integer)`, name, ids, int(vt.Seconds()))
}

func (d sqlAPI) lengths(ctx context.Context, name string) (all, visible int64, err error) {
	err = d.db.QueryRow(ctx, `SELECT queue_length, queue_visible_length FROM pgmq.metrics($1)`, name).Scan(&all, &visible)
	return all, visible, err
}

// throughBothAPIs runs a test once for each, on a queue that the api made.
func throughBothAPIs(t *testing.T, test func(t *testing.T, d api, name string)) {
	t.Helper()
	check.Parallel(t)
	for kind, d := range map[string]api{"go": goAPI{pgtest.Pool()}, "sql": sqlAPI{pgtest.Pool()}} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			name := pgtest.Name()
			check.OK(t, d.create(t.Context(), name, admin.Logged))
			t.Cleanup(func() { _, _ = d.drop(context.Background(), name) })
			test(t, d, name)
		})
	}
}

// must returns the result of an api, for expressions.
func must[V any](t testing.TB) func(V, error) V {
	t.Helper()
	return func(v V, err error) V {
		t.Helper()
		check.OK(t, err)
		return v
	}
}

func idsOf(all []delivery) []int64 {
	var ids []int64
	for _, d := range all {
		ids = append(ids, d.id)
	}
	return ids
}

func equalIDs(t testing.TB, what string, got []int64, want ...int64) {
	t.Helper()
	check.Equal(t, what, fmt.Sprint(slices.Sorted(slices.Values(got))), fmt.Sprint(want))
}

// isNoQueue wants the server's own error through both APIs, and a name for it
// through Go's.
func isNoQueue(t testing.TB, d api, err error) {
	t.Helper()
	check.SQLState(t, err, "42P01")
	if _, isGo := d.(goAPI); isGo {
		check.Is(t, err, queue.ErrNoQueue)
	}
}

// everyName is a name of every shape.
var everyName = append([]string{
	"Capitals", "hyphen-ated", "dotted.name", `"quoted"`, "größe", "キュー", "ñandú-Ω",
	strings.Repeat("ü", 30) + "1", "%s", "select", "a,b", "1",
}, check.GoodNames...)
