package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/table"
	"github.com/pgmq-go/pgmq/queue"
)

// details are all that can be told about a queue.
type details struct {
	look
	Kind      string    `json:"kind"`
	CreatedAt time.Time `json:"created_at"`

	// The two tables; nil for one that is gone.
	Queue   *relation `json:"queue"`
	Archive *relation `json:"archive"`

	Notify      *announcements `json:"notify"` // nil when it is not announced
	Topics      []string       `json:"topics"`
	DeadLetters []origin       `json:"dead_letters"` // among the first 1,000 messages
	Unreadable  []string       `json:"unreadable,omitempty"`
}

// relation is a table with its partitions.
type relation struct {
	Table          string            `json:"table"`
	Owner          string            `json:"owner"`
	Bytes          int64             `json:"table_bytes"` // without indexes
	IndexBytes     int64             `json:"index_bytes"`
	Storage        string            `json:"storage"` // "" for the server's defaults
	Partitions     int64             `json:"partitions"`
	Partitioning   *partitioning     `json:"partitioning"` // nil when pgmq does not partition it
	Indexes        []index           `json:"indexes"`
	Grants         map[string]string `json:"grants"` // by role; the owner may everything
	DeadRows       int64             `json:"dead_rows"`
	Inserted       int64             `json:"rows_inserted"` // since the statistics were reset
	Updated        int64             `json:"rows_updated"`
	Deleted        int64             `json:"rows_deleted"`
	VacuumedAt     *time.Time        `json:"last_vacuum"` // by hand
	AutovacuumedAt *time.Time        `json:"last_autovacuum"`
	AnalyzedAt     *time.Time        `json:"last_analyze"` // by hand or not
	grantees       []string          // in order
}

type partitioning struct {
	Interval   string `json:"interval"`
	Retention  string `json:"retention"`
	Premake    int32  `json:"premake"`
	DropUnread bool   `json:"drop_unread"`
}

type index struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
	Bytes      int64  `json:"bytes"`
	Valid      bool   `json:"valid"`
}

type announcements struct {
	ThrottleMs int32     `json:"throttle_interval_ms"`
	LastAt     time.Time `json:"last_notified_at"`
}

type origin struct {
	Queue    string `json:"queue_name"`
	Messages int64  `json:"messages"`
}

// detailsOf gathers what there is to tell. What this role may not read is named,
// and is no error.
func detailsOf(ctx context.Context, pool *pgxpool.Pool, name string) (*details, error) {
	listed, err := db.New().Listed(ctx, pool, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("queue %q: show: %w", name, queue.ErrNoQueue)
	}
	if err != nil {
		return nil, orNoSchema("show queue", err)
	}
	looks, err := takeLooks(ctx, pool, []string{listed.QueueName}, nil)
	if err != nil {
		return nil, err
	}
	d := &details{look: looks[0], CreatedAt: listed.CreatedAt, Topics: []string{}, DeadLetters: []origin{}}
	info := queue.Info{Partitioned: listed.IsPartitioned}
	if listed.IsUnlogged {
		info.Storage = queue.Unlogged
	}
	d.Kind = kind(info)
	if d.metrics == nil {
		d.Unreadable = append(d.Unreadable, "messages")
	}
	if err := d.addRelations(ctx, pool); err != nil {
		return nil, err
	}
	return d, d.addSettings(ctx, pool)
}

func (d *details) addRelations(ctx context.Context, pool *pgxpool.Pool) error {
	relations, err := db.New().Relations(ctx, pool, d.Name)
	if err != nil {
		return err
	}
	for _, r := range relations {
		*d.relation(r.Prefix) = &relation{
			Table: r.Name, Owner: r.Owner, Bytes: r.Heap, IndexBytes: r.Indexes, Storage: r.Options, Partitions: r.Partitions,
			Indexes: []index{}, Grants: map[string]string{},
			DeadRows: r.Dead, Inserted: r.Inserted, Updated: r.Updated, Deleted: r.Deleted,
			VacuumedAt: unlessNever(r.VacuumedAt), AutovacuumedAt: unlessNever(r.AutovacuumedAt), AnalyzedAt: unlessNever(r.AnalyzedAt),
		}
	}
	indexes, err := db.New().Indexes(ctx, pool, d.Name)
	if err != nil {
		return err
	}
	for _, i := range indexes {
		if r := *d.relation(i.Prefix); r != nil {
			_, definition, _ := strings.Cut(i.Definition, " USING ")
			r.Indexes = append(r.Indexes, index{Name: i.Name, Definition: definition, Bytes: i.Size, Valid: i.Valid})
		}
	}
	grants, err := db.New().Grants(ctx, pool, d.Name)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if r := *d.relation(g.Prefix); r != nil {
			r.Grants[g.Grantee] = g.Privileges
			r.grantees = append(r.grantees, g.Grantee)
		}
	}
	return nil
}

// relation is where the table with a prefix goes.
func (d *details) relation(prefix string) **relation {
	if prefix == "a" {
		return &d.Archive
	}
	return &d.Queue
}

// unlessNever is nil for what a query has for never.
func unlessNever(at time.Time) *time.Time {
	if at.Unix() == 0 {
		return nil
	}
	return &at
}

// addSettings adds what stands in tables of their own.
func (d *details) addSettings(ctx context.Context, pool *pgxpool.Pool) error {
	settings, err := db.New().PartitionSettings(ctx, pool, d.Name)
	if err := d.skip("partitions", err); err != nil {
		return err
	}
	for _, s := range settings {
		if r := *d.relation(s.Prefix); r != nil {
			r.Partitioning = &partitioning{Interval: s.PartitionInterval, Retention: s.RetentionInterval, Premake: s.Premake, DropUnread: s.DropUnread}
		}
	}
	notify, err := db.New().NotifySettings(ctx, pool, d.Name)
	if err := d.skip("announcements", err); err != nil {
		return err
	}
	if len(notify) > 0 {
		d.Notify = &announcements{ThrottleMs: notify[0].ThrottleIntervalMs, LastAt: notify[0].LastNotifiedAt}
	}
	topics, err := db.New().Topics(ctx, pool, d.Name)
	if err := d.skip("topics", err); err != nil {
		return err
	}
	d.Topics = append(d.Topics, topics...)
	if d.Queue == nil {
		return nil
	}
	origins, err := db.New().Origins(ctx, table.New(d.Name).Bind(pool))
	for _, o := range origins {
		if o.Source != "" {
			d.DeadLetters = append(d.DeadLetters, origin{Queue: o.Source, Messages: o.Messages})
		}
	}
	return d.skip("headers", err)
}

// skip names what this role may not read instead of failing.
func (d *details) skip(what string, err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == "42501" { // insufficient_privilege
		d.Unreadable = append(d.Unreadable, what)
		return nil
	}
	return err
}
