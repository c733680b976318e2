package inspect

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

// Queue has the figures of a queue at one moment.
type Queue struct {
	Name string `json:"queue_name"`
	*Messages
	TableBytes      int64  `json:"table_bytes"`
	ArchiveBytes    int64  `json:"archive_bytes"`
	ArchiveEstimate *int64 `json:"archive_length_estimate"` // nil when the server has none yet
	Problem         string `json:"error,omitempty"`         // why there are no Messages

	deleted int64 // as the server's statistics count it
}

// Messages are the figures from the messages of a queue. Ages are in seconds, and
// nil when there is no such message.
type Messages struct {
	At            time.Time `json:"scrape_time"`
	Length        int64     `json:"queue_length"`
	Visible       int64     `json:"queue_visible_length"`
	InFlight      int64     `json:"in_flight"`
	Delayed       int64     `json:"delayed"`
	Estimated     bool      `json:"estimated"`
	OldestVisible *int64    `json:"oldest_visible_age_sec"`
	Newest        *int64    `json:"newest_msg_age_sec"`
	MaxReads      int       `json:"max_read_ct"`
	LastID        int64     `json:"total_messages"` // ever sent
	Sent          *float64  `json:"sent_per_sec"`   // nil without an earlier Queue to compare with
	Settled       *float64  `json:"settled_per_sec"`
}

// Queues looks at the named queues, or at all. Rates are since the queues before,
// which may be nil. A queue that this role may not read has a Problem, and is no
// error.
func Queues(ctx context.Context, conn queue.DB, names []string, before []Queue) ([]Queue, error) {
	all, err := admin.Metrics(ctx, conn, names...)
	if err != nil {
		return nil, err
	}
	last := map[string]Queue{}
	for _, q := range before {
		last[q.Name] = q
	}
	queues := make([]Queue, len(all))
	for i, m := range all {
		queues[i] = queueOf(m)
		queues[i].compare(last[m.Name])
	}
	return queues, nil
}

func queueOf(m admin.QueueMetrics) Queue {
	q := Queue{Name: m.Name, TableBytes: m.TableBytes, ArchiveBytes: m.ArchiveBytes, deleted: m.Deleted}
	if m.ArchiveLength >= 0 {
		q.ArchiveEstimate = &m.ArchiveLength
	}
	if m.Messages == nil {
		q.Problem = problem(m.Err)
		return q
	}
	q.Messages = &Messages{
		At: m.Messages.At, Length: m.Messages.Length, Visible: m.Messages.Visible, InFlight: m.Messages.InFlight, Delayed: m.Messages.Delayed,
		Estimated: m.Messages.Estimated, MaxReads: m.Messages.MaxReads, LastID: m.Messages.LastID,
		OldestVisible: age(m.Messages.At, m.Messages.OldestVisible), Newest: age(m.Messages.At, m.Messages.Newest),
	}
	return q
}

// problem says for an operator why messages cannot be read.
func problem(err error) string {
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, pgerr.ErrNoQueue):
		return "its table is gone"
	case errors.As(err, &pg) && pgerr.Forbidden(err):
		return pg.Message + ": docs/roles.md has the grants of a monitor"
	}
	return err.Error()
}

// age returns whole seconds; nil for a zero time.
func age(now, at time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	seconds := max(int64(now.Sub(at)/time.Second), 0)
	return &seconds
}

// compare sets the rates since an earlier look. The settled messages are those sent that
// are no longer in the queue. Estimated lengths cannot give this number: then it comes
// from the server's statistics, some seconds late.
func (q *Queue) compare(before Queue) {
	if q.Messages == nil || before.Messages == nil || q.LastID < before.LastID {
		return // the queue was created again
	}
	took := q.At.Sub(before.At).Seconds()
	if took <= 0 {
		return
	}
	sent := float64(q.LastID - before.LastID)
	settled := sent - float64(q.Length-before.Length)
	if q.Estimated || before.Estimated {
		settled = float64(q.deleted - before.deleted)
	}
	perSecond := func(n float64) *float64 {
		rate := max(n, 0) / took
		return &rate
	}
	q.Sent, q.Settled = perSecond(sent), perSecond(settled)
}
