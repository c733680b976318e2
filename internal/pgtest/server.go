// Package pgtest gives tests a real Postgres: one server for a whole run, one
// migrated database for each test binary, and one new queue for each test.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pgmq-go/pgmq/internal/postgres"
)

// Variables of the environment that choose the server for tests.
const (
	// URLVar is the DSN of a server. Its role must be allowed to create databases.
	URLVar = "PGMQ_TEST_DATABASE_URL"
	// ServerVar is the kind of server to start: "docker:IMAGE".
	ServerVar = "PGMQ_TEST_POSTGRES"
)

// Docker starts a server in a container. It is a parameter because dockertest
// and its many modules belong to the tests' module alone.
type Docker func(ctx context.Context, image string, settings ...string) (url string, stop func() error, err error)

// Careless is a setting for tests, which need no durability.
const Careless = "fsync=off"

// Server finds or starts the server for tests. It takes the first that is available:
// the one that URLVar names, the one that ServerVar chooses, a private one from
// this machine's binaries, or one in Docker unless docker is nil. settings apply only
// to a server that it starts.
//
// Without a server it returns an error: tests that cannot run must not look as if
// they had passed.
func Server(ctx context.Context, docker Docker, settings ...string) (url string, stop func() error, err error) {
	if url := os.Getenv(URLVar); url != "" {
		return url, func() error { return nil }, nil
	}
	if docker == nil {
		docker = func(context.Context, string, ...string) (string, func() error, error) {
			return "", nil, errors.New("or run the tests with make test, which can use Docker")
		}
	}
	settings = append([]string{"max_connections=500", "max_prepared_transactions=10"}, settings...)
	if choice := os.Getenv(ServerVar); choice != "" {
		image, ok := strings.CutPrefix(choice, "docker:")
		if !ok || image == "" {
			return "", nil, fmt.Errorf(`%s is %q, not "docker:IMAGE"`, ServerVar, choice)
		}
		return docker(ctx, image, settings...)
	}
	local, err := postgres.Local(ctx, settings...)
	if err == nil {
		return local.URL, local.Stop, nil
	}
	if !errors.Is(err, postgres.ErrNoBinaries) {
		return "", nil, err
	}
	url, stop, dockerErr := docker(ctx, postgres.DefaultImage, settings...)
	if dockerErr != nil {
		return "", nil, fmt.Errorf("no Postgres for the tests: set %s: %w; %w", URLVar, err, dockerErr)
	}
	return url, stop, nil
}
