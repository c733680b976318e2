package doctor

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"time"
)

// Who keeps dead rows from being cleaned up: vacuum goes no further than the
// oldest of them.
var (
	//go:embed sql/activity.sql
	activitySQL string
	//go:embed sql/prepared.sql
	preparedSQL string
	//go:embed sql/slots.sql
	slotsSQL string
	//go:embed sql/standbys.sql
	standbysSQL string
)

const (
	// grave is how many times longer than allowed makes a problem of a warning.
	grave = 10
	// farBehind is how many transactions an xmin may be behind where its time is
	// not known.
	farBehind = 100_000
)

// lasting is the level of what has gone on for d: "" when that is not long.
func (p *Patient) lasting(d time.Duration) Level {
	switch {
	case d >= grave*p.openFor:
		return Problem
	case d >= p.openFor:
		return Warning
	}
	return ""
}

type activityFacts struct {
	PID         uint32
	Application string
	Role        string
	State       string
	Database    string
	OpenFor     *time.Duration // nil when the role may not see it
}

func openTransactions(ctx context.Context, p *Patient) ([]Finding, error) {
	all, err := facts[activityFacts](ctx, p, activitySQL)
	var found []Finding
	hidden := 0
	for _, a := range all {
		if a.OpenFor == nil {
			if !p.mayMonitor {
				hidden++
			}
			continue
		}
		level := p.lasting(*a.OpenFor)
		if level == "" {
			continue
		}
		found = append(found, Finding{
			Level: level,
			What: fmt.Sprintf("process %d (%s) has had a transaction open for %s: what died since then stays",
				a.PID, a.who(), long(*a.OpenFor)),
			Do: fmt.Sprintf("end it where it runs, or SELECT pg_terminate_backend(%d)", a.PID),
		})
	}
	if hidden > 0 {
		found = append(found, Finding{
			Level: Unchecked,
			What:  fmt.Sprintf("this role does not see for how long %d transaction(s) of others are open", hidden),
			Do:    "GRANT pg_read_all_stats to it, or pg_monitor",
		})
	}
	return found, err
}

// who names a session.
func (a activityFacts) who() string {
	parts := []string{fmt.Sprintf("role %q", a.Role)}
	if a.Application != "" {
		parts = append(parts, fmt.Sprintf("application %q", a.Application))
	}
	if a.Database != "" {
		parts = append(parts, fmt.Sprintf("database %q", a.Database))
	}
	if a.State != "" {
		parts = append(parts, a.State)
	}
	return strings.Join(parts, ", ")
}

type preparedFacts struct {
	ID       string
	Database string
	OpenFor  time.Duration
	Literal  string // the id for SQL
}

func preparedTransaction(p *Patient, t preparedFacts) []Finding {
	level := p.lasting(t.OpenFor)
	if level == "" {
		return nil
	}
	return []Finding{{
		Level: level,
		What: fmt.Sprintf("transaction %q of database %q was prepared %s ago and never finished: it keeps dead rows, and its locks",
			t.ID, t.Database, long(t.OpenFor)),
		Do: fmt.Sprintf("COMMIT PREPARED %s, or ROLLBACK PREPARED %[1]s, in that database", t.Literal),
	}}
}

type slotFacts struct {
	Name    string
	Active  bool
	Rows    *int64 // how many transactions its xmin is behind; nil for none
	Catalog *int64 // the same of its catalog_xmin
	Literal string // the name for SQL
}

func replicationSlot(_ *Patient, s slotFacts) []Finding {
	f := Finding{Do: fmt.Sprintf("start its client again, or SELECT pg_drop_replication_slot(%s)", s.Literal)}
	switch {
	case s.Rows != nil && s.Active:
		if *s.Rows < farBehind {
			return nil
		}
		f.Level = Warning
		f.What = fmt.Sprintf("replication slot %q keeps dead rows for a standby that is %s transactions behind", s.Name, number(*s.Rows))
		f.Do = "end the long query there, or set hot_standby_feedback off on it"
	case s.Rows != nil:
		f.Level = Warning
		if *s.Rows >= farBehind {
			f.Level = Problem
		}
		f.What = fmt.Sprintf("replication slot %q, which nobody uses, keeps dead rows of the last %s transactions", s.Name, number(*s.Rows))
	case s.Catalog != nil && !s.Active:
		f.Level = Notice
		if *s.Catalog >= farBehind {
			f.Level = Warning
		}
		f.What = fmt.Sprintf("replication slot %q, which nobody uses, keeps WAL and dead rows of the catalogue", s.Name)
	default:
		return nil
	}
	return []Finding{f}
}

type standbyFacts struct {
	PID    uint32
	Name   string
	Behind int64
}

func standbyFeedback(_ *Patient, s standbyFacts) []Finding {
	if s.Behind < farBehind {
		return nil
	}
	return []Finding{{
		Level: Warning,
		What:  fmt.Sprintf("standby %q (process %d) keeps the dead rows of the last %s transactions", s.Name, s.PID, number(s.Behind)),
		Do:    "end the long query there, or set hot_standby_feedback off on it",
	}}
}
