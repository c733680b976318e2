package queue

import (
	"context"
	"iter"
	"math"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/fetch"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/table"
)

// ArchivedMessage is a message in the archive. Its VisibleAt is the end of the
// last lease.
type ArchivedMessage[T any] struct {
	Message[T]
	// ArchivedAt is when the archiving transaction began, by the server's clock.
	ArchivedAt time.Time
}

// ArchiveOption is an option of Archived: [FromID], [Since] or [Until].
type ArchiveOption interface {
	applyArchive(o *archiveOptions) error
}

// Since selects messages archived at that time or later. The default, also of a
// zero time, is all.
type Since time.Time

// Until selects messages archived before that time. The default, also of a zero
// time, is all.
type Until time.Time

type archiveOptions struct {
	from, to     int64
	since, until *time.Time
}

// narrow finds the range of ids archived in the given time.
func (o *archiveOptions) narrow(ctx context.Context, c core) error {
	o.to = math.MaxInt64
	if o.since == nil && o.until == nil {
		return nil
	}
	span, err := table.Run(ctx, c.bound.DB, queries.ArchivedSpan, db.ArchivedSpanParams{Since: o.since, Until: o.until})
	o.from, o.to = max(o.from, span.Lowest), span.Highest
	return err
}

// Archived loops over the archive of the queue, by rising ids, and changes nothing:
//
//	for m, err := range orders.Archived(ctx, queue.Since(midnight)) {
//		if err != nil { … }
//		fmt.Println(m.ID, m.Body, m.ArchivedAt)
//	}
//
// It fetches 100 messages at a time and holds no connection or transaction in
// between, so an archive may have any size, and the loop may be slow. The loop may or
// may not see messages archived meanwhile. The options are [FromID], [Since]
// and [Until]. An empty archive has no messages and no error.
//
// An error is a [*DecodeError] or a [*FetchError], after which the loop goes on; or
// [ErrInvalidOption], [ErrNoQueue], the cause of ctx or an error of pgx, which ends
// the loop.
func (q *Queue[T]) Archived(ctx context.Context, opts ...ArchiveOption) iter.Seq2[*ArchivedMessage[T], error] {
	return func(yield func(*ArchivedMessage[T], error) bool) {
		err := q.eachArchived(ctx, opts, func(row db.ArchivedRow, err error) bool {
			var m *Message[T]
			if err == nil {
				m, err = q.unread(db.Message{
					MsgID: row.MsgID, ReadCt: row.ReadCt, EnqueuedAt: row.EnqueuedAt, LastReadAt: row.LastReadAt,
					VT: row.VT, Message: row.Message, Headers: row.Headers,
				})
			}
			if err != nil {
				return yield(nil, q.fail("archived", err))
			}
			return yield(&ArchivedMessage[T]{Message: *m, ArchivedAt: row.ArchivedAt}, nil)
		})
		if err != nil {
			yield(nil, q.fail("archived", err))
		}
	}
}

// eachArchived calls do with one row after another until do returns false. An error
// takes the place of a row that could not be fetched.
func (c core) eachArchived(ctx context.Context, opts []ArchiveOption, do func(db.ArchivedRow, error) bool) error {
	var o archiveOptions
	if err := option.Apply(&o, opts, ArchiveOption.applyArchive); err != nil {
		return err
	}
	if err := o.narrow(ctx, c); err != nil {
		return err
	}
	for {
		rows, apart, err := narrowed(table.Alone(c.bound.Conn), func(apart int32) ([]db.ArchivedRow, error) {
			return table.Run(ctx, c.bound.Indexed, queries.Archived, db.ArchivedParams{
				FromID: o.from, ToID: o.to, Since: o.since, Until: o.until, N: archivePage, Apart: apart,
			})
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			err := error(nil)
			if row.Stored > apart {
				row, err = c.archivedApart(ctx, row)
			}
			if !do(row, err) {
				return nil
			}
		}
		if len(rows) < archivePage {
			return nil
		}
		o.from = rows[len(rows)-1].MsgID + 1
	}
}

// archivedApart fetches an archived message by itself.
func (c core) archivedApart(ctx context.Context, row db.ArchivedRow) (db.ArchivedRow, error) {
	ctx, cancel := fetch.Limited(ctx)
	defer cancel()
	whole, err := table.Run(ctx, c.bound.Indexed, queries.Archived, db.ArchivedParams{FromID: row.MsgID, ToID: row.MsgID, N: 1, Apart: fetch.None})
	if err == nil && len(whole) == 0 {
		err = fetch.ErrGone
	}
	if err != nil {
		return row, &FetchError{ID: row.MsgID, Err: err}
	}
	return whole[0], nil
}

func (id FromID) applyArchive(o *archiveOptions) error {
	o.from = int64(id)
	return nil
}

func (s Since) applyArchive(o *archiveOptions) error {
	o.since = option.TimeOrNil(time.Time(s))
	return nil
}

func (u Until) applyArchive(o *archiveOptions) error {
	o.until = option.TimeOrNil(time.Time(u))
	return nil
}
