package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgmq-go/pgmq/internal/postgres"
	"github.com/pgmq-go/pgmq/schema"
)

// otherCells do things to the schema and to the machine.
func otherCells() []*cell {
	return []*cell{
		{name: "migration", about: "the latest migration is taken back and applied again", start: own, inject: migrate},
		{name: "disk full", about: "the disk of the tables is full", start: onSmallDisk, inject: fillDisk},
	}
}

func migrate(ctx context.Context, a *arena) error {
	whole := context.WithoutCancel(ctx)
	pool, err := a.open(whole)
	if err != nil {
		return err
	}
	defer pool.Close()
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	provider, err := schema.Provider(db)
	if err != nil {
		return err
	}
	return a.again(ctx, 500*time.Millisecond, 2*time.Second, func() error {
		if _, err := provider.Down(whole); err != nil {
			return err
		}
		time.Sleep(a.between(0, time.Second))
		_, err := provider.Up(whole)
		return err
	})
}

// onSmallDisk is a server whose tables are on a disk of 64 MB.
func onSmallDisk(ctx context.Context, a *arena) (*postgres.Server, error) {
	disk := a.path("disk")
	if err := errors.Join(os.Chmod(a.dir, 0o755), os.Mkdir(disk, 0o755)); err != nil {
		return nil, err
	}
	if out, err := exec.CommandContext(ctx, "mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk).CombinedOutput(); err != nil {
		return nil, errors.New("this cell mounts a small disk, as root: leave it out with -cells: " + string(out))
	}
	a.cleanup(func() error { return exec.Command("umount", disk).Run() })
	s, err := postgres.Local(ctx)
	if err != nil {
		return nil, err
	}
	space := filepath.Join(disk, "space")
	data, err := ask[string](ctx, s.URL, "SELECT current_setting('data_directory')")
	if err == nil {
		err = likewise(data, space)
	}
	if err == nil {
		err = execute(ctx, s.URL, "CREATE TABLESPACE small LOCATION '"+space+"'", "ALTER ROLE postgres SET default_tablespace = 'small'")
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// likewise makes a directory that belongs to whom another belongs to.
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
	ballast := filepath.Join(a.path("disk"), "ballast")
	return a.again(ctx, 500*time.Millisecond, 1500*time.Millisecond, func() error {
		file, err := os.Create(ballast)
		if err != nil {
			return err
		}
		defer file.Close()
		end := time.Now().Add(a.between(vt/2, 2*vt))
		for megabyte := make([]byte, 1<<20); err == nil; {
			_, err = file.Write(megabyte)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			return err
		}
		for time.Now().Before(end) { // what is freed meanwhile is filled as well
			_, _ = file.Write(make([]byte, 4<<10))
			time.Sleep(time.Millisecond)
		}
		return os.Remove(ballast)
	})
}
