package doctor

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/pgmq-go/pgmq/internal/dial"
)

var (
	//go:embed sql/server.sql
	serverSQL string
	//go:embed sql/settings.sql
	settingsSQL string
)

type serverFacts struct {
	Version    string
	Role       string
	Standby    bool
	ReadOnly   bool
	MayMonitor bool
}

func server(ctx context.Context, e *Examination) ([]Finding, error) {
	rows, err := facts[serverFacts](ctx, e, serverSQL)
	if err != nil {
		return nil, err
	}
	s := rows[0]
	e.mayMonitor = s.MayMonitor
	switch {
	case s.Standby:
		return []Finding{{
			Level: Warning,
			What:  fmt.Sprintf("PostgreSQL %s is a standby: nobody can send or read here, and its statistics do not show vacuum", s.Version),
			Do:    "point programs, and pgmq doctor, at the primary",
		}}, nil
	case s.ReadOnly:
		return []Finding{{
			Level: Problem,
			What:  fmt.Sprintf("default_transaction_read_only is on for role %q: it can neither send nor read", s.Role),
			Do:    "find out why it is set (some providers do so when the disk is full), and set it to off",
		}}, nil
	}
	return []Finding{{Level: OK, What: "PostgreSQL " + s.Version + ", a primary"}}, nil
}

func pooler(ctx context.Context, e *Examination) ([]Finding, error) {
	between, err := dial.PoolerOf(ctx, e.pool)
	switch {
	case err != nil:
		return nil, err
	case between == dial.ByTransaction:
		return []Finding{{
			Level: Notice,
			What:  "a pooler assigns sessions by transaction: consumers receive no notifications, so they poll",
			Do:    "give consumers and pgmq migrate a direct connection; see docs/consuming.md",
		}}, nil
	case between == dial.ByConnection:
		return []Finding{{Level: OK, What: "a pooler is in between; it seems to keep one session for each connection"}}, nil
	}
	return nil, nil
}

// clock compares the clocks, as precisely as a round trip allows.
func clock(ctx context.Context, e *Examination) ([]Finding, error) {
	conn, err := e.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	var ahead, trip time.Duration
	for i := range 3 {
		var theirs time.Time
		sent := time.Now()
		if err := conn.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&theirs); err != nil {
			return nil, err
		}
		if took := time.Since(sent); i == 0 || took < trip {
			trip = took
			ahead = sent.Add(took / 2).Sub(theirs)
		}
	}
	return skew(ahead, trip), nil
}

// maxSkew is the largest difference of clocks without a finding.
const maxSkew = time.Second

// skew judges the lead of this machine's clock. The measurement can be off
// by half of a round trip.
func skew(ahead, trip time.Duration) []Finding {
	word := "ahead of"
	if ahead < 0 {
		ahead, word = -ahead, "behind"
	}
	if ahead-trip/2 <= maxSkew {
		return nil
	}
	return []Finding{{
		Level: Notice,
		What:  fmt.Sprintf("the clock of this machine is %v %s the server's", ahead.Round(100*time.Millisecond), word),
		Do:    "synchronize it (NTP): leases use the server's clock, but a time that a program gives, as with At, is from its own",
	}}
}

type settingFacts struct {
	Name string
	Do   string // the statement that corrects it, which depends on where it was set
}

// setting returns the finding for a setting with a bad value.
func setting(_ *Examination, s settingFacts) []Finding {
	f := Finding{Do: s.Do}
	switch s.Name {
	case "fsync":
		f.Level, f.What = Problem, "fsync is off: a crash of the machine can destroy every queue"
	case "full_page_writes":
		f.Level, f.What = Warning, "full_page_writes is off: a crash can leave torn pages, unless the file system prevents them"
	case "synchronous_commit":
		f.Level, f.What = Warning, "synchronous_commit is off: a crash can lose the messages that were sent last"
	case "autovacuum":
		f.Level, f.What = Problem, "autovacuum is off: queues grow with every message and become slow"
	case "track_counts":
		f.Level, f.What = Problem, "track_counts is off: autovacuum does not know when to run"
	case "idle_in_transaction_session_timeout":
		f.Level, f.What = Notice, "idle_in_transaction_session_timeout is 0: a forgotten transaction stays open and keeps dead rows"
	}
	return []Finding{f}
}
