package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// meter measures the server's CPU, WAL and commits between start and stop.
type meter struct {
	database *database
	cpu      time.Duration
	wal      int64
	commits  int64
}

// startMeter starts a meter after the statistics include all earlier work.
func (d *database) startMeter(ctx context.Context) (*meter, error) {
	if _, err := d.flushStatistics(ctx); err != nil {
		return nil, err
	}
	m := &meter{database: d}
	var err error
	if m.wal, m.commits, err = m.count(ctx); err != nil {
		return nil, err
	}
	m.cpu = m.cpuNow()
	return m, nil
}

// stop sets the bytes of WAL and the commits per message, of n messages, and the
// server's CPU where the bench can read it.
func (m *meter) stop(ctx context.Context, n int64, to values) error {
	cpu := m.cpuNow() - m.cpu
	wal, _, err := m.count(ctx)
	if err != nil {
		return err
	}
	own, err := m.database.flushStatistics(ctx)
	if err != nil {
		return err
	}
	_, commits, err := m.count(ctx)
	if err != nil || n == 0 {
		return err
	}
	if m.database.server.process != nil {
		to[cpuPer] = float64(cpu.Nanoseconds()) / 1000 / float64(n)
	}
	to[walPer] = float64(wal-m.wal) / float64(n)
	to[commitsPer] = float64(commits-m.commits-own) / float64(n)
	return nil
}

func (m *meter) cpuNow() time.Duration {
	if m.database.server.process == nil {
		return 0
	}
	cpu, err := m.database.server.process.cpu()
	if err != nil { // the server is gone; the next query returns the error
		return 0
	}
	return cpu
}

func (m *meter) count(ctx context.Context) (wal, commits int64, err error) {
	err = m.database.server.control.QueryRow(ctx, `
		SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, xact_commit
		FROM pg_stat_database
		WHERE datname = $1`, m.database.name).Scan(&wal, &commits)
	return wal, commits, err
}

// flushStatistics makes every idle backend report its statistics now, and not up to
// a second later. It returns how many commits that took: one for each backend.
func (d *database) flushStatistics(ctx context.Context) (commits int64, err error) {
	for _, pool := range []*pgxpool.Pool{d.send, d.consume} {
		for _, conn := range pool.AcquireAllIdle(ctx) {
			// The simple protocol prepares nothing, so each call is one transaction. A
			// backend without a new statistic would not flush; reading a table makes one.
			_, execErr := conn.Conn().PgConn().Exec(ctx, `SELECT pg_stat_force_next_flush() FROM pg_class LIMIT 1`).ReadAll()
			conn.Release()
			if execErr != nil {
				err = execErr
			}
			commits++
		}
	}
	return commits, err
}

// storage returns the dead rows, by Postgres' statistics, and the bytes of a
// database's tables with their indexes.
func (d *database) storage(ctx context.Context) (dead, size float64, err error) {
	err = d.send.QueryRow(ctx, `
		SELECT coalesce(sum(n_dead_tup), 0)::float8, coalesce(sum(pg_total_relation_size(relid)), 0)::float8
		FROM pg_stat_user_tables`).Scan(&dead, &size)
	return dead, size, err
}
