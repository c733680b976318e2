package tests

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
)

// Parsing is for workers: whoever fetches for all of them must not spend time on
// it, and it would be done twice.
func TestFetchingDoesNotParseBodies(t *testing.T) {
	t.Parallel()
	pool := newPool(t, func(c *pgxpool.Config) {
		c.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
			conn.TypeMap().RegisterType(&pgtype.Type{Name: "jsonb", OID: pgtype.JSONBOID, Codec: &pgtype.JSONBCodec{
				Marshal:   json.Marshal,
				Unmarshal: func([]byte, any) error { return errors.New("parsed by pgx") },
			}})
			return nil
		}
	})
	q := open[payload](t, pool, pgtest.Queue[payload](t).Name())
	for range 4 {
		_, err := q.Send(t.Context(), body, queue.Headers{"h": 1})
		ok(t, err)
	}
	msgs := read(t, q, 1)
	equal(t, "the body read", msgs[0].Body, body)
	equal(t, "its header", msgs[0].Headers["h"], any(1.0))
	popped, err := q.Pop(t.Context())
	ok(t, err)
	equal(t, "the body popped", popped.Body, body)
	peeked, err := q.Peek(t.Context(), 1)
	ok(t, err)
	equal(t, "the body peeked at", peeked[0].Body, body)

	ctx, stop := context.WithCancel(t.Context())
	ok(t, q.Consume(ctx, func(_ context.Context, m *queue.Message[payload]) error {
		equal(t, "the body consumed", m.Body, body)
		stop()
		return nil
	}, queue.Workers(1)))
}
