// Package doctor examines a server and its queues: what keeps them from working
// well, and what to do about it.
//
// It looks and changes nothing, waits for no lock for long, and counts no queue.
package doctor

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Level says how bad a finding is.
type Level string

// The levels, from the best to the worst. Unchecked is what could not be looked at.
const (
	OK        Level = "ok"
	Notice    Level = "notice"
	Unchecked Level = "unchecked"
	Warning   Level = "warning"
	Problem   Level = "problem"
)

// Levels returns all of them, the best first.
func Levels() []Level { return []Level{OK, Notice, Unchecked, Warning, Problem} }

// Finding is what a check found. A check that found nothing wrong has one, too,
// with the level OK.
type Finding struct {
	Check string `json:"check"`
	Level Level  `json:"level"`
	Queue string `json:"queue,omitempty"` // "" when it is not about a single one
	What  string `json:"what"`
	Do    string `json:"do,omitempty"` // "" when there is nothing to do
}

// Patient is a database that is examined.
type Patient struct {
	pool       *pgxpool.Pool
	openFor    time.Duration // how long a transaction may be open
	mayMonitor bool          // whether the role sees what others do
	tables     []tableFacts
	shut       map[string]bool // queues whose tables cannot be read now
}

// check looks at one thing.
type check struct {
	name string
	fine string // what there is to say when nothing was found
	look look
}

// look returns what a check finds. Check may be left out of it.
type look func(ctx context.Context, p *Patient) ([]Finding, error)

// New returns the patient at the other end of a pool, which should not prepare
// statements, for a pooler may be in between. Transactions that are open for longer
// than openFor are found.
func New(pool *pgxpool.Pool, openFor time.Duration) *Patient {
	return &Patient{pool: pool, openFor: openFor}
}

// Server examines the server and what is between here and there.
func (p *Patient) Server(ctx context.Context) []Finding {
	return p.examine(ctx, []check{
		{"server", "", server},
		{"pooler", "the connection is direct", pooler},
		{"clock", "this machine and the server agree on the time", clock},
		{"settings", "the server is durable, and vacuums", each(settingsSQL, setting)},
		{"open_transaction", "no transaction has been open for long", openTransactions},
		{"prepared_transaction", "no prepared transaction has been left", each(preparedSQL, preparedTransaction)},
		{"replication_slot", "no replication slot keeps dead rows", each(slotsSQL, replicationSlot)},
		{"standby_feedback", "no standby keeps dead rows", each(standbysSQL, standbyFeedback)},
	})
}

// Queues examines the queues of a database that was migrated.
func (p *Patient) Queues(ctx context.Context) []Finding {
	found := p.examine(ctx, []check{{"queues", "", queues}})
	if found[0].Level == Unchecked {
		return found
	}
	return append(found, p.examine(ctx, []check{
		{"tables", "every queue has its tables", p.ofTables(missing)},
		{"orphan_table", "every table belongs to a queue", each(orphansSQL, orphan)},
		{"index", "every index that is needed is there, and no other", p.ofTables(indexes)},
		{"storage", "every queue has the storage parameters of the template", p.ofTables(storage)},
		{"dead_rows", "vacuum keeps up", p.ofTables(deadRows)},
		{"bloat", "no queue takes much more room than its messages", p.ofTables(bloat)},
		{"unlogged", "every queue survives a crash", p.ofTables(unlogged)},
		{"partitions", "no partition is missing", each(partitionsSQL, partitions)},
		{"locked", "no lock keeps anybody from a queue", locks},
		{"messages", "no message was read in vain or waits for long", messages},
	})...)
}

// examine makes checks, one after the other.
func (p *Patient) examine(ctx context.Context, checks []check) []Finding {
	var all []Finding
	for _, c := range checks {
		found, err := c.look(ctx, p)
		if err != nil {
			found = append(found, CouldNot(err))
		}
		if len(found) == 0 {
			found = []Finding{{Level: OK, What: c.fine}}
		}
		for _, f := range found {
			if f.Check == "" {
				f.Check = c.name
			}
			all = append(all, f)
		}
	}
	return all
}
