package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

// client uses a queue in one way or another. Times are hours, headers 0 for none.
type client interface {
	within(tx pgx.Tx) client
	send(ctx context.Context, body, header, delay int) (int64, error)
	sendBatch(ctx context.Context, bodies []int, header, delay int) ([]int64, error)
	read(ctx context.Context, n, vt int) ([]delivery, error)
	pop(ctx context.Context) ([]delivery, error)
	deleteID(ctx context.Context, ids []int64) ([]int64, error)
	archiveID(ctx context.Context, ids []int64) ([]int64, error)
	setVTID(ctx context.Context, vt int, ids []int64) ([]int64, error)
	purge(ctx context.Context) (int64, error)
	count(ctx context.Context) (all, visible int64, err error)
}

// fencer is a client that settles by receipt. A *queue.LeaseLostError is for the
// receipts that did not hold.
type fencer interface {
	client
	delete(ctx context.Context, of []delivery) error
	archive(ctx context.Context, of []delivery) error
	setVT(ctx context.Context, vt int, of []delivery) error
}

// chooser is a client that reads by the content of bodies.
type chooser interface {
	client
	readWhere(ctx context.Context, n, vt, body int) ([]delivery, error)
}

type numbered struct {
	N int `json:"n"`
}

func hours(n int) time.Duration { return time.Duration(n) * time.Hour }

// goClient goes by the Go API.
type goClient struct {
	db queue.DB
	q  *queue.Queue[numbered]
}

func (c goClient) within(tx pgx.Tx) client { return goClient{tx, c.q.WithTx(tx)} }

func sendOptions(header, delay int) []queue.SendOption {
	opts := []queue.SendOption{queue.Delay(hours(delay))}
	if header > 0 {
		opts = append(opts, queue.Headers{"h": header})
	}
	return opts
}

func (c goClient) send(ctx context.Context, body, header, delay int) (int64, error) {
	return c.q.Send(ctx, numbered{body}, sendOptions(header, delay)...)
}

func (c goClient) sendBatch(ctx context.Context, bodies []int, header, delay int) ([]int64, error) {
	all := make([]numbered, len(bodies))
	for i, n := range bodies {
		all[i].N = n
	}
	return c.q.SendBatch(ctx, all, sendOptions(header, delay)...)
}

func delivered(m *queue.Message[numbered]) delivery {
	header, _ := m.Headers["h"].(float64)
	return delivery{id: m.ID, body: m.Body.N, header: int(header), reads: m.Reads, message: m}
}

func (c goClient) read(ctx context.Context, n, vt int) ([]delivery, error) {
	msgs, err := c.q.Read(ctx, n, queue.VT(hours(vt)))
	var read []delivery
	for _, m := range msgs {
		read = append(read, delivered(m))
	}
	return read, err
}

func (c goClient) pop(ctx context.Context) ([]delivery, error) {
	msgs, err := c.q.Pop(ctx, 1)
	var popped []delivery
	for _, m := range msgs {
		popped = append(popped, delivered(m))
	}
	return popped, err
}

func (c goClient) deleteID(ctx context.Context, ids []int64) ([]int64, error) {
	return c.q.DeleteID(ctx, ids...)
}

func (c goClient) archiveID(ctx context.Context, ids []int64) ([]int64, error) {
	return c.q.ArchiveID(ctx, ids...)
}

func (c goClient) setVTID(ctx context.Context, vt int, ids []int64) ([]int64, error) {
	return c.q.SetVTID(ctx, hours(vt), ids...)
}

func (c goClient) purge(ctx context.Context) (int64, error) {
	return admin.Purge(ctx, c.db, c.q.Name())
}

func (c goClient) count(ctx context.Context) (all, visible int64, err error) {
	stats, err := admin.Stats(ctx, c.db, c.q.Name())
	return stats.Length, stats.Visible, err
}

func messages(of []delivery) []*queue.Message[numbered] {
	var msgs []*queue.Message[numbered]
	for _, d := range of {
		msgs = append(msgs, d.message.(*queue.Message[numbered]))
	}
	return msgs
}

func (c goClient) delete(ctx context.Context, of []delivery) error {
	return c.q.Delete(ctx, messages(of)...)
}

func (c goClient) archive(ctx context.Context, of []delivery) error {
	return c.q.Archive(ctx, messages(of)...)
}

func (c goClient) setVT(ctx context.Context, vt int, of []delivery) error {
	return c.q.SetVT(ctx, hours(vt), messages(of)...)
}

// sqlClient goes by the functions of schema pgmq, as other languages do.
type sqlClient struct {
	db   queue.DB
	name string
}

func (c sqlClient) within(tx pgx.Tx) client { return sqlClient{tx, c.name} }

// ask runs a query of one column for this queue, whose name is $1.
func ask[V any](ctx context.Context, c sqlClient, sql string, args ...any) ([]V, error) {
	rows, err := c.db.Query(ctx, sql, append([]any{c.name}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[V])
}

func sqlHeaders(header int) *string {
	if header == 0 {
		return nil
	}
	text := fmt.Sprintf(`{"h": %d}`, header)
	return &text
}

func sqlBody(n int) string { return fmt.Sprintf(`{"n": %d}`, n) }

func (c sqlClient) send(ctx context.Context, body, header, delay int) (int64, error) {
	ids, err := ask[int64](ctx, c, `SELECT pgmq.send($1, $2::jsonb, $3::jsonb, $4::integer)`,
		sqlBody(body), sqlHeaders(header), 3600*delay)
	if err != nil {
		return 0, err
	}
	return ids[0], nil
}

func (c sqlClient) sendBatch(ctx context.Context, bodies []int, header, delay int) ([]int64, error) {
	all, headers := make([]string, len(bodies)), make([]*string, len(bodies))
	for i, n := range bodies {
		all[i], headers[i] = sqlBody(n), sqlHeaders(header)
	}
	return ask[int64](ctx, c, `SELECT pgmq.send_batch($1, $2::jsonb[], $3::jsonb[], $4::integer)`, all, headers, 3600*delay)
}

func (c sqlClient) messages(ctx context.Context, function string, args ...any) ([]delivery, error) {
	rows, err := c.db.Query(ctx, `SELECT msg_id, read_ct, message, headers FROM pgmq.`+function, append([]any{c.name}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (d delivery, err error) {
		var message, headers []byte
		if err := row.Scan(&d.id, &d.reads, &message, &headers); err != nil {
			return d, err
		}
		body, header := numbered{}, struct{ H int }{}
		err = json.Unmarshal(message, &body)
		if headers != nil {
			err = errors.Join(err, json.Unmarshal(headers, &header))
		}
		d.body, d.header = body.N, header.H
		return d, err
	})
}

func (c sqlClient) read(ctx context.Context, n, vt int) ([]delivery, error) {
	return c.messages(ctx, `read($1, $2, $3)`, 3600*vt, n)
}

func (c sqlClient) readWhere(ctx context.Context, n, vt, body int) ([]delivery, error) {
	return c.messages(ctx, `read($1, $2, $3, $4::jsonb)`, 3600*vt, n, sqlBody(body))
}

func (c sqlClient) pop(ctx context.Context) ([]delivery, error) {
	return c.messages(ctx, `pop($1)`)
}

func (c sqlClient) deleteID(ctx context.Context, ids []int64) ([]int64, error) {
	return c.byID(ctx, "delete", ids)
}

func (c sqlClient) archiveID(ctx context.Context, ids []int64) ([]int64, error) {
	return c.byID(ctx, "archive", ids)
}

// byID takes the form for one id when there is one.
func (c sqlClient) byID(ctx context.Context, function string, ids []int64) ([]int64, error) {
	if len(ids) != 1 {
		return ask[int64](ctx, c, `SELECT pgmq.`+function+`($1, $2::bigint[])`, ids)
	}
	existed, err := ask[bool](ctx, c, `SELECT pgmq.`+function+`($1, $2::bigint)`, ids[0])
	if err != nil || !existed[0] {
		return nil, err
	}
	return ids, nil
}

func (c sqlClient) setVTID(ctx context.Context, vt int, ids []int64) ([]int64, error) {
	return ask[int64](ctx, c, `SELECT msg_id FROM pgmq.set_vt($1, $2::bigint[], $3::integer)`, ids, 3600*vt)
}

func (c sqlClient) purge(ctx context.Context) (int64, error) {
	purged, err := ask[int64](ctx, c, `SELECT pgmq.purge_queue($1)`)
	if err != nil {
		return 0, err
	}
	return purged[0], nil
}

func (c sqlClient) count(ctx context.Context) (all, visible int64, err error) {
	err = c.db.QueryRow(ctx, `SELECT queue_length, queue_visible_length FROM pgmq.metrics($1)`, c.name).Scan(&all, &visible)
	return all, visible, err
}
