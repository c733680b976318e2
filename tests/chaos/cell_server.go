package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pgmq-go/pgmq/internal/postgres"
)

// serverCells inject faults into the server.
func serverCells() []*cell {
	return []*cell{
		{name: "postgres kill", about: "every process of the server is killed with -9, and it is started again", start: own, inject: restart(postgres.Killed)},
		{name: "restart fast", about: "the server is restarted, mode fast", start: own, inject: restart(postgres.Fast)},
		{name: "restart immediate", about: "the server is restarted, mode immediate", start: own, inject: restart(postgres.Immediate)},
		{name: "terminate", about: "every backend is terminated, again and again", start: own, inject: terminate},
		{name: "horizon", about: "a transaction holds an old snapshot, and vacuum with it", start: own, inject: holdHorizon},
	}
}

func restart(how postgres.Shutdown) func(context.Context, *arena) error {
	return func(ctx context.Context, a *arena) error {
		return a.again(ctx, time.Second, 3*time.Second, func() error {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			return a.server.Restart(ctx, how)
		})
	}
}

func terminate(ctx context.Context, a *arena) error {
	conn, err := pgx.Connect(ctx, a.server.URL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return a.again(ctx, 100*time.Millisecond, 800*time.Millisecond, func() error {
		_, err := conn.Exec(context.WithoutCancel(ctx),
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
		return err
	})
}

func holdHorizon(ctx context.Context, a *arena) error {
	conn, err := pgx.Connect(ctx, a.server.URL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return a.again(ctx, 100*time.Millisecond, 200*time.Millisecond, func() error {
		tx, err := conn.BeginTx(context.WithoutCancel(ctx), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
		if err != nil {
			return err
		}
		if _, err := tx.Exec(context.WithoutCancel(ctx), "SELECT count(*) FROM pgmq.meta"); err != nil {
			return err
		}
		sleep(ctx, a.between(3*time.Second, 30*time.Second))
		return tx.Rollback(context.WithoutCancel(ctx))
	})
}
