package bench

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

const perRound, perBatch = 10_000, 100

// spent is the cost of one message: microseconds of the server's CPU and of time,
// bytes of WAL, and the share of claims that changed no index.
type spent struct{ send, drain, wall, wal, hot float64 }

// answer measures the variants in turn, and returns a table.
func (q question) answer(b *testing.B) string {
	var all []*subject
	for i, v := range q.variants {
		all = append(all, newSubject(b, v, fmt.Sprint("variant_", i), q.readers))
	}
	for round := 0; b.Loop(); round++ {
		for i := range all {
			s := all[(round+i)%len(all)] // each is first in its turn
			s.rounds = append(s.rounds, s.round(b))
		}
	}
	b.ReportMetric(0, "ns/op")
	var table strings.Builder
	fmt.Fprintf(&table, "\n**%s**\n\n| | CPU µs/msg, send | claim and settle | ratio of both | time µs/msg | ratio | WAL B/msg | HOT %% |\n", q.asks)
	table.WriteString("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, s := range all {
		of := func(what func(round int) float64) float64 { // the median
			var numbers []float64
			for round := range s.rounds {
				numbers = append(numbers, what(round))
			}
			slices.Sort(numbers)
			return numbers[len(numbers)/2]
		}
		first := all[0].rounds
		fmt.Fprintf(&table, "| %s | %.2f | %.2f | %.2f | %.1f | %.2f | %.0f | %.0f |\n", s.name,
			of(func(i int) float64 { return s.rounds[i].send }),
			of(func(i int) float64 { return s.rounds[i].drain }),
			of(func(i int) float64 { return (s.rounds[i].send + s.rounds[i].drain) / (first[i].send + first[i].drain) }),
			of(func(i int) float64 { return s.rounds[i].wall }),
			of(func(i int) float64 { return s.rounds[i].wall / first[i].wall }),
			of(func(i int) float64 { return s.rounds[i].wal }),
			of(func(i int) float64 { return s.rounds[i].hot }))
	}
	return table.String()
}

// subject is a variant with its table and its connections.
type subject struct {
	variant
	table  string
	conns  []*pgx.Conn
	rounds []spent
}

func newSubject(b *testing.B, v variant, table string, readers int) *subject {
	b.Helper()
	s := &subject{variant: v, table: table}
	s.send = s.sql(cmp.Or(v.send, today.send))
	s.claim = s.sql(cmp.Or(v.claim, today.claim))
	s.settle = s.sql(cmp.Or(v.settle, today.settle))
	s.along = cmp.Or(v.along, today.along)
	s.first = s.sql(v.first)
	setup := s.sql(`DROP TABLE IF EXISTS {Q};
		CREATE TABLE {Q} (LIKE pgmq.template_queue INCLUDING DEFAULTS INCLUDING IDENTITY INCLUDING INDEXES)
			WITH (fillfactor = 50, autovacuum_enabled = off);`) + s.sql(v.setup)
	check.Exec(b, pgtest.Pool(), setup)
	for range readers {
		conn := check.Connection(b, pgtest.Pool())
		if v.session != "" {
			check.Exec(b, conn, v.session)
		}
		s.conns = append(s.conns, conn)
	}
	b.Cleanup(func() { _, _ = pgtest.Pool().Exec(context.Background(), s.sql(`DROP TABLE {Q}`)) })
	return s
}

func (s *subject) sql(text string) string { return strings.ReplaceAll(text, "{Q}", s.table) }

// round sends and drains.
func (s *subject) round(b *testing.B) spent {
	b.Helper()
	check.Exec(b, pgtest.Pool(), s.sql(`TRUNCATE {Q}`)) // rows written anew need no images of pages
	for _, conn := range s.conns {
		for range 6 { // a reader that waits at an empty queue has its plans made for one
			_, err := s.drain(b.Context(), conn)
			check.OK(b, err)
		}
	}
	wal := check.Value[int64](b, pgtest.Pool(), `SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`)
	updated, hot := s.updates(b)
	began, cpu := time.Now(), s.cpu()
	s.fill(b)
	filled := s.cpu()
	var readers sync.WaitGroup
	settled := make([]int64, len(s.conns))
	failed := make([]error, len(s.conns))
	for i, conn := range s.conns {
		readers.Go(func() { settled[i], failed[i] = s.drain(b.Context(), conn) })
	}
	readers.Wait()
	drained, took := s.cpu(), time.Since(began)
	sum := int64(0)
	for i := range s.conns {
		check.OK(b, failed[i])
		sum += settled[i]
	}
	check.Equal(b, "settled messages", sum, perRound)
	wal = check.Value[int64](b, pgtest.Pool(), `SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint`) - wal
	updatedAfter, hotAfter := s.updates(b)
	each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / perRound }
	return spent{
		send: each(filled - cpu), drain: each(drained - filled), wall: each(took),
		wal: float64(wal) / perRound, hot: 100 * float64(hotAfter-hot) / float64(updatedAfter-updated),
	}
}

// fill sends the messages that a round needs.
func (s *subject) fill(b *testing.B) {
	b.Helper()
	args := pgx.NamedArgs{
		"messages": slices.Repeat([]check.Payload{check.Body}, perBatch), "headers": make([]map[string]string, perBatch),
		"visible_ats": make([]time.Time, perBatch), "delays": make([]float64, perBatch),
	}
	for range perRound / perBatch {
		check.Exec(b, s.conns[0], s.send, args)
	}
}

// receipt has the values of a claim that a settle needs.
type receipt struct {
	ctid pgtype.TID
	id   int64
	read int32
	at   time.Time
}

// drain claims and settles until nothing is left, and returns how many it settled.
func (s *subject) drain(ctx context.Context, conn *pgx.Conn) (settled int64, err error) {
	args := pgx.NamedArgs{"first": int64(0), "n": perBatch}
	for held := 0; ; {
		batch := s.trip()
		settle := func() {
			batch.Queue(s.settle, args).Exec(func(tag pgconn.CommandTag) error {
				settled += tag.RowsAffected()
				return nil
			})
		}
		if held > 0 && s.together {
			settle()
		}
		if s.first != "" {
			batch.Queue(s.first)
		}
		var claimed []receipt
		batch.Queue(s.claim, args).Query(func(rows pgx.Rows) error {
			claimed, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r receipt, err error) {
				return r, row.Scan(&r.ctid, &r.id, &r.read, nil, &r.at, nil, nil, nil)
			})
			return err
		})
		if err := conn.SendBatch(ctx, batch).Close(); err != nil {
			return settled, err
		}
		if held = len(claimed); held == 0 {
			return settled, nil
		}
		hold(args, claimed)
		if s.together {
			continue
		}
		batch = s.trip()
		settle()
		if err := conn.SendBatch(ctx, batch).Close(); err != nil {
			return settled, err
		}
	}
}

// trip begins a round trip.
func (s *subject) trip() *pgx.Batch {
	batch := &pgx.Batch{}
	if s.along != asItLikes {
		batch.Queue(s.along)
	}
	return batch
}

// hold makes receipts the arguments of the next settle, and has the next claim
// begin behind them.
func hold(args pgx.NamedArgs, claimed []receipt) {
	slices.SortFunc(claimed, func(a, b receipt) int { return cmp.Compare(a.id, b.id) })
	var ctids []pgtype.TID
	var ids []int64
	var reads []int32
	var ats []time.Time
	for _, r := range claimed {
		ctids, ids, reads, ats = append(ctids, r.ctid), append(ids, r.id), append(reads, r.read), append(ats, r.at)
	}
	args["ctids"], args["ids"], args["read_cts"], args["last_read_ats"] = ctids, ids, reads, ats
	args["first"] = ids[len(ids)-1] + 1
}

// updates counts updates of the table, and those that changed no index.
func (s *subject) updates(b *testing.B) (all, hot int64) {
	b.Helper()
	for _, conn := range s.conns {
		check.Exec(b, conn, `SELECT pg_stat_force_next_flush()`)
	}
	check.OK(b, pgtest.Pool().QueryRow(b.Context(), `SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relid = $1::text::regclass`, s.table).Scan(&all, &hot))
	return all, hot
}

// cpu is the server's CPU time for the connections so far, as Linux counts it;
// 0, and ratios that are no numbers, where their processes cannot be seen.
func (s *subject) cpu() (sum time.Duration) {
	for _, conn := range s.conns {
		process := fmt.Sprintf("/proc/%d/", conn.PgConn().PID())
		if name, _ := os.ReadFile(process + "comm"); string(name) != "postgres\n" {
			return 0
		}
		text, _ := os.ReadFile(process + "schedstat")
		first, _, _ := strings.Cut(string(text), " ")
		nanoseconds, _ := strconv.ParseInt(first, 10, 64)
		sum += time.Duration(nanoseconds)
	}
	return sum
}
