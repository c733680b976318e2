package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// Shutdown is the way in which a server ends.
type Shutdown int

const (
	// Fast aborts running transactions and writes everything to disk.
	Fast Shutdown = iota
	// Immediate is like a crash: the server recovers at its next start.
	Immediate
	// Killed is kill -9 for all processes of the server.
	Killed
)

// Restart ends a server that [Local] started, and starts it again on the same data.
// It returns when the server answers again.
func (s *Server) Restart(ctx context.Context, how Shutdown) error {
	return s.restart(ctx, how, nil)
}

// Change is Restart with a change of the data directory in between.
func (s *Server) Change(ctx context.Context, change func(data string) error) error {
	return s.restart(ctx, Fast, change)
}

func (s *Server) restart(ctx context.Context, how Shutdown, change func(data string) error) error {
	if s.guard == nil {
		return errors.New("only a private server can be restarted")
	}
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var data string
	var began time.Time
	const ask = "SELECT current_setting('data_directory'), pg_postmaster_start_time()"
	if err := conn.QueryRow(ctx, ask).Scan(&data, &began); err != nil {
		return err
	}
	stay, err := standUp(data)
	if err != nil {
		return err
	}
	defer stay()
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	hold := filepath.Join(filepath.Dir(data), "hold") // while it exists, the server stays down
	if change != nil {
		if err := os.WriteFile(hold, nil, 0o644); err != nil {
			return err
		}
		defer os.Remove(hold)
	}
	if err := end(ctx, conn, data, how); err != nil {
		return err
	}
	if change != nil {
		if err := changed(ctx, data, change); err != nil {
			return err
		}
		if err := os.Remove(hold); err != nil {
			return err
		}
	}
	for {
		at, err := startTime(ctx, s.URL)
		if err == nil && !at.Equal(began) {
			return nil
		}
		select {
		case <-s.guard.done:
			return fmt.Errorf("the server did not start again: %s", s.guard.log)
		case <-ctx.Done():
			return fmt.Errorf("the server did not answer again: %w (%w)", context.Cause(ctx), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// changed changes a data directory when no server uses it any more.
func changed(ctx context.Context, data string, change func(data string) error) error {
	for {
		if _, err := os.Stat(filepath.Join(data, "postmaster.pid")); errors.Is(err, os.ErrNotExist) {
			return change(data)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server did not end: %w", context.Cause(ctx))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// StandUp restarts a server that [Local] started whenever it ends, as a supervisor
// does, until stop is called.
func (s *Server) StandUp(ctx context.Context) (stop func(), err error) {
	if s.guard == nil {
		return nil, errors.New("only a private server can be started again")
	}
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var data string
	if err := conn.QueryRow(ctx, "SELECT current_setting('data_directory')").Scan(&data); err != nil {
		return nil, err
	}
	return standUp(data)
}

// standUp creates a file. While the file exists, the script that runs the server
// restarts it whenever it ends, and tries again while processes of the last run are
// still ending.
func standUp(data string) (stop func(), err error) {
	again := filepath.Join(filepath.Dir(data), "restart")
	if err := os.WriteFile(again, nil, 0o644); err != nil {
		return nil, err
	}
	return func() { _ = os.Remove(again) }, nil
}

// end ends the server of a data directory. conn is one of its connections.
func end(ctx context.Context, conn *pgx.Conn, data string, how Shutdown) error {
	file, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return err
	}
	line, _, _ := bytes.Cut(file, []byte("\n"))
	first, err := strconv.Atoi(string(line))
	if err != nil {
		return err
	}
	switch how {
	case Fast:
		return send(first, syscall.SIGINT)
	case Immediate:
		return send(first, syscall.SIGQUIT)
	}
	// The first process must not start others. It must also end last: a server does
	// not start while a process of the last run exists.
	if err := send(first, freeze); err != nil {
		return err
	}
	rows, err := conn.Query(ctx, "SELECT pid FROM pg_stat_activity ORDER BY pid = pg_backend_pid()")
	var others []int
	if err == nil {
		others, err = pgx.CollectRows(rows, pgx.RowTo[int])
	}
	for _, pid := range append(others, first) {
		if gone := send(pid, syscall.SIGKILL); !errors.Is(gone, os.ErrProcessDone) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

func send(pid int, signal syscall.Signal) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return process.Signal(signal)
}

func startTime(ctx context.Context, url string) (at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return at, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, "SELECT pg_postmaster_start_time()").Scan(&at)
	return at, err
}
