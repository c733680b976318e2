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

// Restart ends a server that [Local] started as a crash would, and starts it again on the same data: what
// "pg_ctl restart -m immediate" does. It returns when the server answers again.
func (s *Server) Restart(ctx context.Context) error {
	if s.guard == nil {
		return errors.New("only a private server can be restarted")
	}
	conn, err := pgx.Connect(ctx, s.URL)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var data string
	var began time.Time
	const ask = "SELECT current_setting('data_directory'), pg_postmaster_start_time()"
	if err := conn.QueryRow(ctx, ask).Scan(&data, &began); err != nil {
		return err
	}
	// The script that runs the server looks for this file when the server has ended.
	if err := os.WriteFile(filepath.Join(filepath.Dir(data), "restart"), nil, 0o644); err != nil {
		return err
	}
	if err := crash(data); err != nil {
		return err
	}
	for {
		again, err := startTime(ctx, s.URL)
		if err == nil && !again.Equal(began) {
			return nil
		}
		select {
		case <-s.guard.done:
			return fmt.Errorf("it did not start again: %s", s.guard.log)
		case <-ctx.Done():
			return fmt.Errorf("it did not answer again: %w (%w)", context.Cause(ctx), err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// crash has the server of a data directory end without a checkpoint.
func crash(data string) error {
	file, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return err
	}
	line, _, _ := bytes.Cut(file, []byte("\n"))
	pid, err := strconv.Atoi(string(line))
	if err != nil {
		return err
	}
	process, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	return process.Signal(syscall.SIGQUIT)
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
