package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/stdlib"

	"github.com/pgmq-go/pgmq/schema"
)

// otherCells inject faults into the schema and the machine.
func otherCells() []*cell {
	return []*cell{
		{name: "migration", about: "the latest migration is taken back and applied again", start: own, inject: migrate},
		{name: "disk full", about: "the disk of the tables is full", start: onSmallDisk, inject: fillDisk},
		{name: "log full", about: "the disk of the write-ahead log is full, and the server goes down", start: logOnSmallDisk, inject: fillLog},
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
