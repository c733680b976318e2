package sql

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestALongPollLetsGoOfItsQueueWhileItWaits(t *testing.T) {
	check.Parallel(t)
	for _, function := range []string{"read_with_poll", "read_grouped_with_poll", "read_grouped_rr_with_poll", "read_grouped_head_with_poll"} {
		t.Run(function, func(t *testing.T) {
			t.Parallel()
			q := pgtest.Queue[check.Order](t)
			poller, err := pgx.Connect(t.Context(), check.DSN(pgtest.Pool()))
			check.OK(t, err)
			defer poller.Close(context.WithoutCancel(t.Context()))
			pid := poller.PgConn().PID()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			got := make(chan error, 1)
			go func() {
				var id int64
				got <- poller.QueryRow(ctx, `SELECT msg_id FROM pgmq.`+function+`($1, 30, 1, 60, 200)`, q.Name()).Scan(&id)
			}()
			check.Eventually(t, "it waits", func() bool {
				return check.Value[bool](t, pgtest.Pool(), `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1 AND wait_event = 'PgSleep')`, pid)
			})

			tx, err := pgtest.Pool().Begin(t.Context())
			check.OK(t, err)
			defer tx.Rollback(context.WithoutCancel(t.Context()))
			check.Exec(t, tx, `SET LOCAL lock_timeout = '10s'`)
			check.Exec(t, tx, check.Tables(q.Name(), `LOCK TABLE {Q} IN ACCESS EXCLUSIVE MODE`))
			check.OK(t, tx.Commit(t.Context()))

			check.Send(t, q, check.Order{ID: 1})
			check.OK(t, check.Receive(t, got))
		})
	}
}
