package doctor

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
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

func server(ctx context.Context, p *Patient) ([]Finding, error) {
	rows, err := facts[serverFacts](ctx, p, serverSQL)
	if err != nil {
		return nil, err
	}
	s := rows[0]
	p.mayMonitor = s.MayMonitor
	switch {
	case s.Standby:
		return []Finding{{
			Level: Warning,
			What:  fmt.Sprintf("PostgreSQL %s is a standby: nobody can send or read here, and vacuum is not seen", s.Version),
			Do:    "point programs, and pgmq doctor, at the primary",
		}}, nil
	case s.ReadOnly:
		return []Finding{{
			Level: Problem,
			What:  fmt.Sprintf("default_transaction_read_only is on for %q: it can neither send nor read", s.Role),
			Do:    "find out who set it (a full disk, with some providers), and set it off",
		}}, nil
	}
	return []Finding{{Level: OK, What: "PostgreSQL " + s.Version + ", a primary"}}, nil
}

// pooler finds what stands between the command and the server. A pooler makes up
// the number of the process that it tells its clients.
func pooler(ctx context.Context, p *Patient) ([]Finding, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second) // it may have no second session for us
	defer cancel()
	const who = "SELECT pg_backend_pid()"
	first, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer first.Release()
	var session uint32
	if err := first.QueryRow(ctx, who).Scan(&session); err != nil {
		return nil, err
	}
	if session == first.Conn().PgConn().PID() {
		return nil, nil
	}
	// The first is still connected: who else has its session shares it with it.
	for range 3 {
		other, err := pgx.ConnectConfig(ctx, p.pool.Config().ConnConfig)
		if err != nil {
			break
		}
		defer hangUp(ctx, other)
		var same uint32
		if _, err := other.Exec(ctx, "BEGIN"); err != nil { // and keeps it, so that the next one gets another
			break
		}
		if err := other.QueryRow(ctx, who).Scan(&same); err != nil {
			break
		}
		if same == session {
			return []Finding{{
				Level: Notice,
				What:  "a pooler hands out sessions by the transaction: nothing wakes consumers, so they poll",
				Do:    "give consumers and pgmq migrate a direct connection; see docs/consuming.md",
			}}, nil
		}
	}
	return []Finding{{Level: OK, What: "a pooler is in between that leaves sessions alone, as far as can be seen"}}, nil
}

func hangUp(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// clock compares the clocks, as well as a round trip allows.
func clock(ctx context.Context, p *Patient) ([]Finding, error) {
	conn, err := p.pool.Acquire(ctx)
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

// tolerance is by how much clocks may differ.
const tolerance = time.Second

// skew judges by how much this machine's clock is ahead, give or take half of a
// round trip.
func skew(ahead, trip time.Duration) []Finding {
	word := "ahead of"
	if ahead < 0 {
		ahead, word = -ahead, "behind"
	}
	if ahead-trip/2 <= tolerance {
		return nil
	}
	return []Finding{{
		Level: Notice,
		What:  fmt.Sprintf("the clock of this machine is %v %s the server's", ahead.Round(100*time.Millisecond), word),
		Do:    "set it right (NTP): leases go by the server's clock, but times that programs name, as by At, by theirs",
	}}
}

type settingFacts struct {
	Name string
	Do   string // the statement that sets it right, which depends on where it was set
}

// setting judges a setting that is not as it should be.
func setting(_ *Patient, s settingFacts) []Finding {
	f := Finding{Do: s.Do}
	switch s.Name {
	case "fsync":
		f.Level, f.What = Problem, "fsync is off: a crash of the machine can destroy every queue"
	case "full_page_writes":
		f.Level, f.What = Warning, "full_page_writes is off: a crash can tear pages, unless the file system prevents it"
	case "synchronous_commit":
		f.Level, f.What = Warning, "synchronous_commit is off: a crash can lose what was sent in the last moments"
	case "autovacuum":
		f.Level, f.What = Problem, "autovacuum is off: queues grow with every message, and get slow"
	case "track_counts":
		f.Level, f.What = Problem, "track_counts is off: autovacuum does not know when to come"
	case "idle_in_transaction_session_timeout":
		f.Level, f.What = Notice, "idle_in_transaction_session_timeout is 0: a forgotten transaction stays open, and keeps dead rows"
	}
	return []Finding{f}
}
