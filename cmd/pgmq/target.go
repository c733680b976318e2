package main

import (
	"context"
	"database/sql"
	"errors"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/spf13/cobra"

	"github.com/pgmq-go/pgmq/internal/dial"
	"github.com/pgmq-go/pgmq/queue"
)

// target is the database that a command is pointed at.
type target struct {
	flag string
}

// url returns the DSN from --database-url, else DATABASE_URL; "" for neither.
func (t target) url() string {
	if t.flag != "" {
		return t.flag
	}
	return os.Getenv("DATABASE_URL")
}

// config returns how to reach the database, also from the PG* variables.
func (t target) config() (*pgxpool.Config, error) {
	url := t.url()
	if url == "" && os.Getenv("PGHOST")+os.Getenv("PGDATABASE")+os.Getenv("PGSERVICE") == "" {
		return nil, errors.New("no database: pass --database-url or set DATABASE_URL")
	}
	return dial.Parse(url)
}

// pool returns a pool whose server has answered.
func (t target) pool(ctx context.Context) (*pgxpool.Pool, error) {
	config, err := t.config()
	if err != nil {
		return nil, err
	}
	return dial.Pool(ctx, config)
}

// sqlDB is pool for goose, which speaks database/sql. settings are for its sessions.
func (t target) sqlDB(ctx context.Context, settings map[string]string) (db *sql.DB, closeAll func(), err error) {
	config, err := t.config()
	if err != nil {
		return nil, nil, err
	}
	for name, value := range settings {
		config.ConnConfig.RuntimeParams[name] = value
	}
	pool, err := dial.Pool(ctx, config)
	if err != nil {
		return nil, nil, err
	}
	db = stdlib.OpenDBFromPool(pool)
	return db, func() { db.Close(); pool.Close() }, nil
}

func withPool(cmd *cobra.Command, t *target, do func(*pgxpool.Pool) error) error {
	pool, err := t.pool(cmd.Context())
	if err != nil {
		return err
	}
	defer pool.Close()
	return do(pool)
}

// withQueue opens a queue with bodies as they are stored.
func withQueue(cmd *cobra.Command, t *target, name string, do func(*queue.Queue[body]) error) error {
	return withPool(cmd, t, func(pool *pgxpool.Pool) error {
		q, err := queue.New[body](pool, name)
		if err != nil {
			return err
		}
		return do(q)
	})
}
