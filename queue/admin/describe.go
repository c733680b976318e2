package admin

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/pgerr"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// Description is everything about one queue.
type Description struct {
	Info
	Metrics QueueMetrics
	// Queue and Archive are the two tables; nil for one that is gone.
	Queue, Archive *Table
	// Notify says how the SQL functions notify of messages; nil when they do not.
	// Consumers of package queue need no such setting.
	Notify *Notify
	// Topics are the patterns that the queue is bound to, in order; empty for none.
	Topics []string
	// DeadLetters tells which queues the first 1,000 messages died in, the most
	// frequent first; empty when they did not.
	DeadLetters []Origin
	// Unreadable names the parts that this role may not read and that are left out: some of
	// "messages", "partitions", "notifications", "topics" and "headers".
	Unreadable []string
}

// Table is a table of a queue with its partitions. Sizes are in bytes.
type Table struct {
	Name       string `json:"table"`       // in schema pgmq
	Owner      string `json:"owner"`       // role
	Bytes      int64  `json:"table_bytes"` // without indexes
	IndexBytes int64  `json:"index_bytes"`
	Storage    string `json:"storage"`    // storage parameters; "" for the server's defaults
	Partitions int64  `json:"partitions"` // how many there are
	// Partitioning is how pgmq partitions the table; nil when it does not.
	Partitioning *Partitioning `json:"partitioning"`
	Indexes      []Index       `json:"indexes"`
	// Grants are the privileges of roles other than the owner, by role, such as
	// "INSERT, SELECT (msg_id)". PUBLIC is a role.
	Grants map[string]string `json:"grants"`
	// DeadRows wait for a vacuum. Inserted, Updated and Deleted count rows since
	// the server's statistics were reset. All are by those statistics, some seconds
	// late.
	DeadRows int64 `json:"dead_rows"`
	Inserted int64 `json:"rows_inserted"`
	Updated  int64 `json:"rows_updated"`
	Deleted  int64 `json:"rows_deleted"`
	// When the table was last vacuumed by hand and by the server, and analyzed by
	// either; nil for never.
	VacuumedAt     *time.Time `json:"last_vacuum"`
	AutovacuumedAt *time.Time `json:"last_autovacuum"`
	AnalyzedAt     *time.Time `json:"last_analyze"`
}

// Partitioning is how pgmq partitions a table: by time, such as "1 day", or by ids,
// such as "10000".
type Partitioning struct {
	Interval   string `json:"interval"`    // of one partition
	Retention  string `json:"retention"`   // how long partitions stay; "" for ever
	Premake    int32  `json:"premake"`     // how many are made ahead
	DropUnread bool   `json:"drop_unread"` // also with messages that nobody settled
}

// Index is an index of a table.
type Index struct {
	Name       string `json:"name"`
	Definition string `json:"definition"` // such as "btree (msg_id)"
	Bytes      int64  `json:"bytes"`      // with those of partitions
	Valid      bool   `json:"valid"`      // false: drop it and create it again
}

// Notify is how the SQL functions notify of messages.
type Notify struct {
	ThrottleMs int32 `json:"throttle_interval_ms"` // the least time between two, in milliseconds
	// LastAt is when the last one was sent. The epoch of Unix stands for never.
	LastAt time.Time `json:"last_notified_at"`
}

// Origin is a queue that dead letters come from.
type Origin struct {
	Queue    string `json:"queue_name"`
	Messages int64  `json:"messages"`
}

// Describe returns everything about one queue. It counts messages as [Metrics]
// does. Unreadable names the parts that this role may not read; they are no error. conn
// should be no transaction: the first such part would abort it.
//
// Errors: [queue.ErrInvalidName], [queue.ErrNoQueue], [queue.ErrNoSchema], and
// errors of pgx.
func Describe(ctx context.Context, conn queue.DB, name string) (*Description, error) {
	b, err := table.Open(conn, name)
	if err != nil {
		return nil, err
	}
	d, err := describe(ctx, conn, name)
	if err != nil {
		return nil, b.Fail("describe", err)
	}
	return d, nil
}

func describe(ctx context.Context, conn queue.DB, name string) (*Description, error) {
	listed, err := table.Run(ctx, table.Printed(conn), queries.Listed, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, pgerr.ErrNoQueue
	}
	if err != nil {
		return nil, explainCatalogue(err)
	}
	d := &Description{Info: infoOf(listed)}
	figures, err := table.Run(ctx, table.Printed(conn), queries.Figures, []string{d.Name})
	if err != nil {
		return nil, err
	}
	if len(figures) == 0 {
		return nil, pgerr.ErrNoQueue // dropped just now
	}
	d.Metrics = metricsOf(figures[0])
	if d.Metrics.Messages == nil {
		d.Unreadable = append(d.Unreadable, "messages")
	}
	if err := d.addTables(ctx, conn); err != nil {
		return nil, err
	}
	return d, d.addSettings(ctx, conn)
}

func (d *Description) addTables(ctx context.Context, conn queue.DB) error {
	relations, err := table.Run(ctx, table.Printed(conn), queries.Relations, d.Name)
	if err != nil {
		return err
	}
	for _, r := range relations {
		*d.table(r.Prefix) = &Table{
			Name: r.Name, Owner: r.Owner, Bytes: r.Heap, IndexBytes: r.Indexes, Storage: r.Options, Partitions: r.Partitions,
			Indexes: []Index{}, Grants: map[string]string{},
			DeadRows: r.Dead, Inserted: r.Inserted, Updated: r.Updated, Deleted: r.Deleted,
			VacuumedAt: unlessNever(r.VacuumedAt), AutovacuumedAt: unlessNever(r.AutovacuumedAt), AnalyzedAt: unlessNever(r.AnalyzedAt),
		}
	}
	indexes, err := table.Run(ctx, table.Printed(conn), queries.Indexes, d.Name)
	if err != nil {
		return err
	}
	for _, i := range indexes {
		if t := *d.table(i.Prefix); t != nil {
			_, definition, _ := strings.Cut(i.Definition, " USING ")
			t.Indexes = append(t.Indexes, Index{Name: i.Name, Definition: definition, Bytes: i.Size, Valid: i.Valid})
		}
	}
	grants, err := table.Run(ctx, conn, queries.Grants, d.Name)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if t := *d.table(g.Prefix); t != nil {
			t.Grants[g.Grantee] = g.Privileges
		}
	}
	return nil
}

// table returns the field for the table with a prefix.
func (d *Description) table(prefix string) **Table {
	if prefix == "a" {
		return &d.Archive
	}
	return &d.Queue
}

// unlessNever is nil for the time that stands for never in a query.
func unlessNever(at time.Time) *time.Time {
	if at.Unix() == 0 {
		return nil
	}
	return &at
}

// addSettings adds the settings from other tables of PGMQ, and from headers.
func (d *Description) addSettings(ctx context.Context, conn queue.DB) error {
	settings, err := table.Run(ctx, conn, queries.PartitionSettings, d.Name)
	if err := d.unlessForbidden("partitions", err); err != nil {
		return err
	}
	for _, s := range settings {
		if t := *d.table(s.Prefix); t != nil {
			t.Partitioning = &Partitioning{Interval: s.PartitionInterval, Retention: s.RetentionInterval, Premake: s.Premake, DropUnread: s.DropUnread}
		}
	}
	notify, err := table.Run(ctx, table.Printed(conn), queries.NotifySettings, d.Name)
	if err := d.unlessForbidden("notifications", err); err != nil {
		return err
	}
	if len(notify) > 0 {
		d.Notify = &Notify{ThrottleMs: notify[0].ThrottleIntervalMs, LastAt: notify[0].LastNotifiedAt}
	}
	if d.Topics, err = table.Run(ctx, conn, queries.Topics, d.Name); err != nil {
		if err := d.unlessForbidden("topics", err); err != nil {
			return err
		}
	}
	if d.Queue == nil {
		return nil
	}
	return d.addOrigins(ctx, table.New(d.Name).Bind(conn))
}

func (d *Description) addOrigins(ctx context.Context, conn db.DBTX) error {
	origins, err := table.Ask(ctx, conn, queries.Origins)
	for _, o := range origins {
		if o.Source != "" {
			d.DeadLetters = append(d.DeadLetters, Origin{Queue: o.Source, Messages: o.Messages})
		}
	}
	return d.unlessForbidden("headers", err)
}

// unlessForbidden names a part that this role may not read instead of failing.
func (d *Description) unlessForbidden(what string, err error) error {
	if pgerr.Forbidden(err) {
		d.Unreadable = append(d.Unreadable, what)
		return nil
	}
	return err
}
