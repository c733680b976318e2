package main

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func TestMeterCountsWhatTheMessagesCost(t *testing.T) {
	t.Parallel()
	one := bareNamed("meter")
	s, err := another(t, one)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPiece(t.Context(), s, one, tiny, variant{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.database.close()
	if err := p.warm(t.Context(), 6); err != nil {
		t.Fatal(err)
	}
	meter, err := p.database.startMeter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// One connection sends. The others have nothing to report, and stop must subtract
	// their commits too.
	for range 100 {
		if err := p.sendOne(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := meter.stop(t.Context(), 100, p.values); err != nil {
		t.Fatal(err)
	}
	if got := p.values[commitsPer]; got != 1 {
		t.Errorf("%v commits for each INSERT", got)
	}
	if got := p.values[walPer]; got < 100 {
		t.Errorf("%v bytes of WAL for each INSERT", got)
	}
	if got, ok := p.values[cpuPer]; ok && got < 1 {
		t.Errorf("%v µs of CPU for each INSERT", got)
	}
}

func TestCPUOfABackendThatHasEndedCounts(t *testing.T) {
	t.Parallel()
	if shared.process == nil {
		t.Log("/proc does not show the server's processes")
		return
	}
	before, err := shared.process.cpu()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), shared.URL)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	var busy float64
	// Half a second takes some CPU time, even when many processes share the processor.
	if err := conn.QueryRow(t.Context(), `
		WITH RECURSIVE loop AS (
			SELECT clock_timestamp() AS at
			UNION ALL
			SELECT clock_timestamp() FROM loop WHERE at < statement_timestamp() + interval '500 ms'
		)
		SELECT pg_backend_pid(), count(*) FROM loop`).Scan(&pid, &busy); err != nil {
		t.Fatal(err)
	}
	stat, err := readStat(pid)
	if err != nil {
		t.Fatal(err)
	}
	used := running(pid, stat)
	if err := conn.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if _, err := readStat(pid); err != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	after, err := shared.process.cpu()
	if err != nil {
		t.Fatal(err)
	}
	if after-before < used-tick {
		t.Errorf("a backend used %v of CPU, and the server only %v", used, after-before)
	}
}
