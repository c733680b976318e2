// Package pgtest gives tests a real Postgres: one server for a whole run, one
// migrated database for each test binary, and one fresh queue for each test.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/pgmq-go/pgmq/internal/postgres"
)

// What tests are run against, from the environment.
const (
	// URLVar names a server to use. The role must be allowed to create databases.
	URLVar = "PGMQ_TEST_DATABASE_URL"
	// ServerVar chooses a server to start: "docker:IMAGE".
	ServerVar = "PGMQ_TEST_POSTGRES"
)

// Docker starts a server in a container. It is a parameter because dockertest
// and its many modules belong to the tests' module alone.
type Docker func(ctx context.Context, image string, settings ...string) (url string, stop func() error, err error)

// Careless is for tests, which ask whether the code is right, not whether the
// disk is.
const Careless = "fsync=off"

// Server finds or starts the server for tests: the one that URLVar names, else
// what ServerVar says, else a private one from this machine's binaries, else
// docker if that is not nil. settings are for a server that it starts.
//
// It is an error when none can be had: tests that cannot run must not look as if
// they had passed.
func Server(ctx context.Context, docker Docker, settings ...string) (url string, stop func() error, err error) {
	if url := os.Getenv(URLVar); url != "" {
		return url, func() error { return nil }, nil
	}
	if docker == nil {
		docker = func(context.Context, string, ...string) (string, func() error, error) {
			return "", nil, errors.New("without it, run the tests with make test, which can use Docker")
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
