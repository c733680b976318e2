// Package postgres finds a Postgres server, or starts a private one that ends with
// this process.
//
// [Find] takes the first that is available: the named database, a server started from
// binaries of this machine ([Local]), or a container ([Docker]). A server that it
// starts listens on 127.0.0.1 only and has a random password. A small guard process
// watches it: however this process ends, by [Server.Stop], an error, ctrl-C or
// kill -9, the guard stops the server and removes its directory.
package postgres

import (
	"context"
	"errors"
	"fmt"
)

// ErrNone means that there is no Postgres and no way to start one.
var ErrNone = errors.New("no Postgres found: install one (Debian, Ubuntu: apt-get install postgresql; " +
	"macOS: brew install postgresql@17) or Docker, or name a database with --database-url or DATABASE_URL")

// ErrNoBinaries means that no directory with Postgres' server binaries was found.
var ErrNoBinaries = errors.New("no directory with initdb and postgres found")

// Server is a Postgres to talk to.
type Server struct {
	URL    string // for pgx; it contains a password, so print Redact(URL)
	Origin string // for people: "--database-url", "PostgreSQL 15.18, private, from /usr/lib/postgresql/15/bin", "Docker image postgres:17"

	guard *guard // nil when there is nothing to stop
}

// Stop ends a server that this package started, and returns when nothing is left of
// it. For a given URL it does nothing. It may be called more than once, and on a nil
// Server.
func (s *Server) Stop() error {
	if s == nil || s.guard == nil {
		return nil
	}
	return s.guard.stop()
}

// Find returns the server at url without a connection to it. For an empty url it
// starts one with [Local], or else with [Docker] and [DefaultImage], and the error is
// ErrNone if neither is possible. settings apply only to a server that it starts.
func Find(ctx context.Context, url string, settings ...string) (*Server, error) {
	return thisMachine().find(ctx, url, settings)
}

func (m machine) find(ctx context.Context, url string, settings []string) (*Server, error) {
	if url != "" {
		return &Server{URL: url, Origin: "--database-url"}, nil
	}
	s, localErr := m.local(ctx, settings)
	if localErr == nil || ctx.Err() != nil {
		return s, localErr
	}
	s, dockerErr := m.docker(ctx, DefaultImage, settings)
	switch noBinaries := errors.Is(localErr, ErrNoBinaries); {
	case dockerErr == nil:
		return s, nil
	case noBinaries && errors.Is(dockerErr, errNoDocker):
		return nil, ErrNone
	case noBinaries && errors.Is(dockerErr, errDockerSilent):
		return nil, fmt.Errorf("%w (%w)", ErrNone, dockerErr)
	case noBinaries:
		return nil, dockerErr
	case errors.Is(dockerErr, errNoDocker), errors.Is(dockerErr, errDockerSilent):
		return nil, localErr
	default:
		return nil, fmt.Errorf("%w; %w", localErr, dockerErr)
	}
}
