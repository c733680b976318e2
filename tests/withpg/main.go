// Command withpg runs a command with a Postgres for tests, whose DSN it puts
// into PGMQ_TEST_DATABASE_URL, so that several test binaries share one server:
//
//	go run ./withpg go test ./...
//
// A server that it starts does not wait for the disk, unless -durable is given.
//
// With -versions 16,17,18 it runs the command once on each of these major
// versions that is at hand: in a container of the image postgres:VERSION, or
// else from server binaries, in the directories that PGMQ_TEST_BINARIES lists or
// where Debian has them. It fails if one run failed, or if there was none.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/dockerpg"
)

func main() {
	durable := flag.Bool("durable", false, "start the server with fsync on")
	versions := flag.String("versions", "", "run the command on each of these major `versions`, such as 16,17")
	flag.Parse()
	code, err := run(flag.Args(), *durable, *versions)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withpg:", err)
		code = 1
	}
	os.Exit(code)
}

func run(command []string, durable bool, versions string) (code int, err error) {
	if len(command) == 0 {
		return 0, errors.New("usage: withpg [-durable] [-versions N,…] COMMAND [ARG ...]")
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if versions != "" {
		return 0, onEach(ctx, strings.Split(versions, ","), command, durable)
	}
	var settings []string
	if !durable {
		settings = append(settings, pgtest.Careless)
	}
	url, stop, err := pgtest.Server(ctx, dockerpg.Start, settings...)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, stop()) }()

	err = with(ctx, command, pgtest.URLVar+"="+url)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// with runs a command with more in its environment.
func with(ctx context.Context, command []string, env ...string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd.Run()
}
