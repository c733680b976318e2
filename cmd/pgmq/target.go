package main

import (
	"context"
	"database/sql"
	"errors"
	"maps"
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

func withPool(cmd *cobra.Command, t *target, do func(*pgxpool.Pool) error) error {
	return withSettings(cmd, t, nil, do)
}

// withSettings is withPool for sessions with settings.
func withSettings(cmd *cobra.Command, t *target, settings map[string]string, do func(*pgxpool.Pool) error) error {
	config, err := t.config()
	if err != nil {
		return err
	}
	maps.Copy(config.ConnConfig.RuntimeParams, settings)
	pool, err := dial.Pool(cmd.Context(), config)
	if err != nil {
		return err
	}
	defer pool.Close()
	return do(pool)
}

// withDB is withSettings for goose, which speaks database/sql.
func withDB(cmd *cobra.Command, t *target, settings map[string]string, do func(*sql.DB) error) error {
	return withSettings(cmd, t, settings, func(pool *pgxpool.Pool) error {
		db := stdlib.OpenDBFromPool(pool)
		defer db.Close()
		return do(db)
	})
}

// withDirectDB is withDB for commands that take the lock of a session. A pooler that hands
// the session to others would leave the lock behind there.
func withDirectDB(cmd *cobra.Command, t *target, settings map[string]string, do func(*sql.DB) error) error {
	return withPool(cmd, t, func(pool *pgxpool.Pool) error {
		between, err := dial.PoolerOf(cmd.Context(), pool)
		if err != nil {
			return err
		}
		if between == dial.ByTransaction {
			return errors.New("this is a pooler that assigns sessions by transaction, and migrations need a session of their own: " +
				"pass a direct connection to the server by --database-url or DATABASE_URL")
		}
		return withDB(cmd, t, settings, do)
	})
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
