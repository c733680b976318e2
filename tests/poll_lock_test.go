package tests

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

func TestALongPollLetsGoOfItsQueueWhileItWaits(t *testing.T) {
	t.Parallel()
	for _, function := range []string{"read_with_poll", "read_grouped_with_poll", "read_grouped_rr_with_poll", "read_grouped_head_with_poll"} {
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[Order](t)
			poller, err := pgx.Connect(t.Context(), dsn(pgtest.Pool()))
			ok(t, err)
			defer poller.Close(context.WithoutCancel(t.Context()))
			pid := poller.PgConn().PID()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			got := make(chan error, 1)
			go func() {
				var id int64
				got <- poller.QueryRow(ctx, `SELECT msg_id FROM pgmq.`+function+`($1, 30, 1, 60, 200)`, q.Name()).Scan(&id)
			}()
			eventually(t, "it waits", func() bool {
				return value[bool](t, pgtest.Pool(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep')`, pid)
			})

			tx, err := pgtest.Pool().Begin(t.Context())
			ok(t, err)
			defer tx.Rollback(context.WithoutCancel(t.Context()))
			exec(t, tx, `SET LOCAL lock_timeout = '10s'`)
			exec(t, tx, tables(q.Name(), `LOCK TABLE {Q} IN ACCESS EXCLUSIVE MODE`))
			ok(t, tx.Commit(t.Context()))

			send(t, q, Order{ID: 1})
			ok(t, <-got)
		})
	}
}
