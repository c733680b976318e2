package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/dockerpg"
)

// binariesVar lists directories of server binaries, as PATH does.
const binariesVar = "PGMQ_TEST_BINARIES"

// onEach runs the command, under this program again, on each available major version of
// Postgres, and reports the result of each.
func onEach(ctx context.Context, versions, command []string, durable bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	command = append([]string{self, fmt.Sprintf("-durable=%v", durable)}, command...)
	ran, failed := 0, 0
	var report strings.Builder
	for _, version := range versions {
		server, err := find(ctx, version)
		if err != nil {
			fmt.Fprintf(&report, "PostgreSQL %s: not at hand: %v\n", version, err)
			continue
		}
		fmt.Printf("PostgreSQL %s, from %s\n", version, server.origin)
		ran++
		began, outcome := time.Now(), "passed"
		if err := with(ctx, command, server.env...); err != nil {
			outcome = "FAILED"
			failed++
		}
		fmt.Fprintf(&report, "PostgreSQL %s: %s in %v, from %s\n", version, outcome, time.Since(began).Round(time.Second), server.origin)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	fmt.Print("\n", report.String())
	switch {
	case ran == 0:
		return errors.New("no version of Postgres is at hand")
	case failed > 0:
		return fmt.Errorf("%d of %d versions failed", failed, ran)
	}
	return nil
}

// choice is a server for pgtest.Server to start: the values of the environment.
type choice struct {
	origin string
	env    []string
}

// find returns a server of a major version. The error tells why there is none.
func find(ctx context.Context, version string) (choice, error) {
	image := "postgres:" + version
	noImage := dockerpg.Fetch(image)
	if noImage == nil {
		return choice{"Docker image " + image, []string{pgtest.URLVar + "=", pgtest.ServerVar + "=docker:" + image}}, nil
	}
	dirs := append(filepath.SplitList(os.Getenv(binariesVar)), "/usr/lib/postgresql/"+version+"/bin")
	for _, dir := range dirs {
		if majorOf(ctx, dir) == version {
			path := dir + string(os.PathListSeparator) + os.Getenv("PATH")
			return choice{dir, []string{pgtest.URLVar + "=", pgtest.ServerVar + "=", "PATH=" + path}}, nil
		}
	}
	return choice{}, fmt.Errorf("%w; nor are its binaries in %s", noImage, strings.Join(dirs, ", "))
}

// majorOf returns the major version of the server binaries in a directory, or "".
func majorOf(ctx context.Context, dir string) string {
	out, err := exec.CommandContext(ctx, filepath.Join(dir, "postgres"), "--version").Output() // postgres (PostgreSQL) 14.23
	if err != nil {
		return ""
	}
	_, number, _ := strings.Cut(string(out), ") ")
	major, _, _ := strings.Cut(number, ".")
	return major
}
