package api

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// Workers parse: the goroutine that fetches for all of them must not spend time on
// it, and it would be done twice.
func TestFetchingDoesNotParseBodies(t *testing.T) {
	check.Parallel(t)
	pool := check.NewPool(t, func(c *pgxpool.Config) {
		c.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
			conn.TypeMap().RegisterType(&pgtype.Type{Name: "jsonb", OID: pgtype.JSONBOID, Codec: &pgtype.JSONBCodec{
				Marshal:   json.Marshal,
				Unmarshal: func([]byte, any) error { return errors.New("parsed by pgx") },
			}})
			return nil
		}
	})
	q := check.Open[check.Payload](t, pool, pgtest.Queue[check.Payload](t).Name())
	for range 4 {
		_, err := q.Send(t.Context(), check.Body, queue.Headers{"h": 1})
		check.OK(t, err)
	}
	msgs := check.Read(t, q, 1)
	check.Equal(t, "the body read", msgs[0].Body, check.Body)
	check.Equal(t, "its header", msgs[0].Headers["h"], any(1.0))
	popped := check.Pop(t, q)
	check.Equal(t, "the body popped", popped.Body, check.Body)
	peeked, err := q.Peek(t.Context(), 1)
	check.OK(t, err)
	check.Equal(t, "the body peeked at", peeked[0].Body, check.Body)

	ctx, stop := context.WithCancel(t.Context())
	check.OK(t, q.Consume(ctx, func(_ context.Context, m *queue.Message[check.Payload]) error {
		check.Equal(t, "the body consumed", m.Body, check.Body)
		stop()
		return nil
	}, queue.Workers(1)))
}
