package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/postgres"
)

// smallDisk mounts a disk of 64 MB. It goes after the server.
func smallDisk(ctx context.Context, a *arena) error {
	disk := a.path("disk")
	if err := errors.Join(os.Chmod(a.dir, 0o755), os.Mkdir(disk, 0o755)); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk).CombinedOutput(); err != nil {
		return errors.New("this cell mounts a small disk, as root: leave it out by -without: " + string(out))
	}
	a.cleanup(func() error { return exec.Command("umount", disk).Run() })
	return nil
}

// ownWith starts a server, and has its data directory and itself changed.
func ownWith(ctx context.Context, change func(s *postgres.Server, data string) error, settings ...string) (*postgres.Server, error) {
	s, err := postgres.Local(ctx, settings...)
	if err != nil {
		return nil, err
	}
	data, err := ask[string](ctx, s.URL, "SELECT current_setting('data_directory')")
	if err == nil {
		err = change(s, data)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// onSmallDisk is a server whose tables are on a small disk.
func onSmallDisk(ctx context.Context, a *arena) (*postgres.Server, error) {
	if err := smallDisk(ctx, a); err != nil {
		return nil, err
	}
	space := filepath.Join(a.path("disk"), "space")
	return ownWith(ctx, func(s *postgres.Server, data string) error {
		if err := likewise(data, space); err != nil {
			return err
		}
		return execute(ctx, s.URL, "CREATE TABLESPACE small LOCATION '"+space+"'", "ALTER ROLE postgres SET default_tablespace = 'small'")
	})
}

// logOnSmallDisk is a server whose write-ahead log is on a small disk.
func logOnSmallDisk(ctx context.Context, a *arena) (*postgres.Server, error) {
	if err := smallDisk(ctx, a); err != nil {
		return nil, err
	}
	return ownWith(ctx, func(s *postgres.Server, data string) error {
		// Nobody writes yet: a crash leaves just the copied files.
		log := filepath.Join(data, "pg_wal")
		if out, err := exec.CommandContext(ctx, "cp", "-a", log, a.path("disk")).CombinedOutput(); err != nil {
			return errors.New(string(out))
		}
		if err := errors.Join(os.Rename(log, log+"_before"), os.Symlink(filepath.Join(a.path("disk"), "pg_wal"), log)); err != nil {
			return err
		}
		return s.Restart(ctx, postgres.Killed)
	}, "min_wal_size=32MB", "max_wal_size=32MB")
}

// likewise makes a directory with the same owner as another.
func likewise(other, dir string) error {
	info, err := os.Stat(other)
	if err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	owner := info.Sys().(*syscall.Stat_t)
	return os.Chown(dir, int(owner.Uid), int(owner.Gid))
}

func fillDisk(ctx context.Context, a *arena) error {
	return a.again(ctx, 500*time.Millisecond, 1500*time.Millisecond, func() error {
		return a.full(a.between(vt/2, 2*vt), func() bool { return false })
	})
}

// full fills the small disk for a while, and on until meanwhile, which it calls over and
// over, has enough.
func (a *arena) full(d time.Duration, meanwhile func() (goOn bool)) error {
	ballast := filepath.Join(a.path("disk"), "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		return err
	}
	defer file.Close()
	for megabyte := make([]byte, 1<<20); err == nil; {
		_, err = file.Write(megabyte)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	since := time.Now()
	for goOn := true; time.Since(since) < d || goOn && time.Since(since) < time.Minute; { // space freed meanwhile is filled as well
		_, _ = file.Write(make([]byte, 4<<10))
		goOn = meanwhile()
		time.Sleep(time.Millisecond)
	}
	return os.Remove(ballast)
}

// fillLog fills the disk of the server's log. The server panics, and does not restart
// before there is room again.
func fillLog(ctx context.Context, a *arena) error {
	whole := context.WithoutCancel(ctx)
	stop, err := a.server.StandUp(whole)
	if err != nil {
		return err
	}
	defer stop()
	return a.again(ctx, time.Second, 3*time.Second, func() error {
		conn, err := pgx.Connect(whole, a.server.URL)
		if err != nil {
			return err
		}
		defer conn.Close(whole)
		err = a.full(a.between(vt/2, 2*vt), func() bool {
			// The load alone would take long to fill the disk.
			_, err := conn.Exec(whole, "SELECT pg_logical_emit_message(false, 'chaos', repeat('x', 1000000))")
			return err == nil
		})
		if err != nil {
			return err
		}
		if conn.Ping(whole) == nil {
			return errors.New("the server did not notice that there was no room for its log")
		}
		return a.answers(whole)
	})
}

// answers waits until the server does.
func (a *arena) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		_, err := ask[int](ctx, a.server.URL, "SELECT 1")
		if err == nil || ctx.Err() != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
}
