package sql

import (
	"slices"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestTheAPIIsPGMQs(t *testing.T) {
	check.Parallel(t)
	pgmqs, additions := check.Lines(t, "pgmq-1.13.1.txt"), check.Lines(t, "additions.txt")
	check.Equal(t, "functions of PGMQ 1.13.1", len(slices.DeleteFunc(slices.Clone(pgmqs), func(line string) bool {
		return !strings.Contains(line, " -> ")
	})), 76)
	there := check.Values[string](t, pgtest.Pool(), check.API)
	for _, line := range slices.Concat(pgmqs, additions) {
		if !slices.Contains(there, line) {
			t.Errorf("the database lacks\n%s", line)
		}
	}
	for _, line := range there {
		known := slices.Contains(pgmqs, line) || slices.Contains(additions, line)
		if public := strings.Contains(line, " -> ") && line[0] != '_'; public && !known {
			t.Errorf("the database has beyond the lists\n%s", line)
		}
	}
}

func TestEveryPublicFunctionIsExplained(t *testing.T) {
	check.Parallel(t)
	check.Same(t, "functions without a comment", check.Values[string](t, pgtest.Pool(), `
		SELECT oid::regprocedure::text FROM pg_proc
		WHERE pronamespace = 'pgmq'::regnamespace AND left(proname, 1) <> '_' AND obj_description(oid, 'pg_proc') IS NULL
		ORDER BY 1`), nil)
}
