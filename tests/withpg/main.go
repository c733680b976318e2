// Command withpg runs a command with a Postgres for tests, whose DSN it puts
// into PGMQ_TEST_DATABASE_URL, so that several test binaries share one server:
//
//	go run ./withpg go test ./...
//
// A server that it starts does not wait for the disk, unless -durable is given.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/dockerpg"
)

func main() {
	durable := flag.Bool("durable", false, "start the server with fsync on")
	flag.Parse()
	code, err := run(flag.Args(), *durable)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpg:", err)
		code = 1
	}
	os.Exit(code)
}

func run(command []string, durable bool) (code int, err error) {
	if len(command) == 0 {
		return 0, errors.New("usage: withpg [-durable] COMMAND [ARG ...]")
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	var settings []string
	if !durable {
		settings = append(settings, pgtest.Careless)
	}
	url, stop, err := pgtest.Server(ctx, dockerpg.Start, settings...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()

	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), pgtest.URLVar+"="+url)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	return 0, err
}
