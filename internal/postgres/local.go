package postgres

import (
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed local.sh
var localScript string

// initdbLimit is about fifty times as long as initdb takes.
const initdbLimit = 30 * time.Second

var errPortTaken = errors.New("the port was taken meanwhile")

// Local starts a private server from binaries of this machine, with settings such as
// "fsync=off". Settings cannot change the address that it listens on. ctx limits the
// start of the server, not its life. Postgres refuses to run as root; under root the
// server runs as user postgres, or else as nobody.
//
// Local tries the binaries in PATH, those that pg_config names, and those in the
// usual places, newest version first, until some work. Without any binaries the
// error wraps ErrNoBinaries.
func Local(ctx context.Context, settings ...string) (*Server, error) {
	return thisMachine().local(ctx, settings)
}

// Standby starts a standby of a server that [Local] started, by streaming replication.
// It has the same password. The primary does not wait for it unless the primary's
// setting synchronous_standby_names demands it.
func (s *Server) Standby(ctx context.Context, settings ...string) (*Server, error) {
	if s.guard == nil {
		return nil, errors.New("only a private server can have a standby")
	}
	return thisMachine().start(ctx, s, settings)
}

func (m machine) local(ctx context.Context, settings []string) (*Server, error) {
	return m.start(ctx, nil, settings)
}

// start starts a new server, or a standby if primary is not nil.
func (m machine) start(ctx context.Context, primary *Server, settings []string) (*Server, error) {
	dirs := m.binaries(ctx)
	if len(dirs) == 0 {
		return nil, fmt.Errorf("%w in PATH, pg_config --bindir, %s", ErrNoBinaries, strings.Join(m.globs, ", "))
	}
	var failed error
	for _, dir := range dirs {
		s, err := m.startIn(ctx, dir, primary, settings)
		if err == nil {
			return s, nil
		}
		err = fmt.Errorf("start Postgres from %s: %w", dir, err)
		if failed != nil {
			err = fmt.Errorf("%w; %w", failed, err)
		}
		failed = err
		if ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

func (m machine) startIn(ctx context.Context, dir string, primary *Server, settings []string) (s *Server, err error) {
	for range 5 {
		s, err = m.startOnce(ctx, dir, primary, settings)
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	return s, err
}

func (m machine) startOnce(ctx context.Context, dir string, primary *Server, settings []string) (*Server, error) {
	attr, err := detached(true)
	if err != nil {
		return nil, err
	}
	port, err := m.port()
	if err != nil {
		return nil, err
	}
	follow, password := "", rand.Text()
	if primary != nil {
		follow, password = primary.conninfo(), primary.guard.password
	}
	args := []string{dir, follow, "-c", "max_connections=200"}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	// These come last, because Postgres takes the last value of a setting.
	args = append(
		args,
		"-c", "listen_addresses=127.0.0.1",
		"-c", "port="+strconv.Itoa(port),
		"-c", "unix_socket_directories=",
	)
	g, err := m.startGuard(guardSpec{script: localScript, password: password, args: args, env: serverEnv(), attr: attr})
	if err != nil {
		return nil, err
	}

	s := &Server{URL: dsn(g.password, "127.0.0.1", strconv.Itoa(port)), guard: g}
	err = g.waitFor(ctx, initdbLimit, func(ctx context.Context) error {
		version, err := ping(ctx, s.URL)
		s.Origin = fmt.Sprintf("PostgreSQL %s, private, from %s", version, dir)
		return err
	})
	if err != nil {
		if strings.Contains(g.log, "could not bind") {
			err = fmt.Errorf("%w: %w", errPortTaken, err)
		}
		return nil, err
	}
	return s, nil
}

// serverEnv returns a small environment. The server's user can read it and may be
// another than ours. PGDATA or a locale of ours would change how the server works.
func serverEnv() []string {
	env := []string{"LC_ALL=C"} // messages in English; on macOS the server does not start without a locale
	for _, name := range []string{"PATH", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// dsn returns the URL of a server. The password must not need escapes.
func dsn(password, host, port string) string {
	return "postgres://postgres:" + password + "@" + host + ":" + port + "/postgres?sslmode=disable"
}

// conninfo returns the server's connection string for libpq, without the password.
func (s *Server) conninfo() string {
	at, err := pgx.ParseConfig(s.URL)
	if err != nil {
		panic(err) // unreachable: dsn made the URL
	}
	return fmt.Sprintf("host=%s port=%d user=%s", at.Host, at.Port, at.User)
}

// ping returns the version of the server at url once it answers.
func ping(ctx context.Context, url string) (string, error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	version, _, _ := strings.Cut(conn.PgConn().ParameterStatus("server_version"), " ")
	return version, conn.Ping(ctx)
}
