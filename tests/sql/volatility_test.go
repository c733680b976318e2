package sql

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

var (
	returning = regexp.MustCompile(`(?is)\bRETURNING\b([^;)]*)`)
	// A list of columns, and nothing else.
	columnList = regexp.MustCompile(`^\s*(\w+\.)?\w+(\s*,\s*(\w+\.)?\w+)*\s*$`)
	// An UPDATE or DELETE in a function's body, up to its end or that of the
	// string that holds it: the arguments of USING are values by then.
	bodyWrite = regexp.MustCompile(`(?is)\b(UPDATE\s+\S+\s+(AS\s+\w+\s+)?SET|DELETE\s+FROM)\b[^;']*`)
)

// A distributed Postgres refuses anything but immutable expressions there.
func TestWritesReturnColumnsOnly(t *testing.T) {
	check.Parallel(t)
	files, err := filepath.Glob(check.Root("queries/*.sql"))
	check.OK(t, err)
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		check.OK(t, err)
		for _, list := range returning.FindAllStringSubmatch(comment.ReplaceAllString(string(text), ""), -1) {
			found++
			if strings.HasSuffix(file, "send.sql") && strings.HasPrefix(list[1], " msg_id, current_setting('pgmq.input'") {
				continue // docs/decisions.md: each input leaves its number in a setting
			}
			if !columnList.MatchString(list[1]) {
				t.Errorf("%s returns more than columns:%s", file, list[1])
			}
		}
	}
	if found < 8 {
		t.Fatalf("only %d RETURNING were found", found)
	}
}

// The catalogue pgmq.meta is never distributed, so writes to it are free.
func TestFunctionBodiesWriteToQueuesWithoutVolatileFunctions(t *testing.T) {
	check.Parallel(t)
	volatile := map[string]bool{}
	for _, name := range check.Values[string](t, pgtest.Pool(), `
		SELECT DISTINCT proname::text FROM pg_proc
		WHERE provolatile = 'v' AND pronamespace IN ('pg_catalog'::regnamespace, 'pgmq'::regnamespace)`) {
		volatile[name] = true
	}
	bodies := check.Values[string](t, pgtest.Pool(), `SELECT prosrc FROM pg_proc WHERE pronamespace = 'pgmq'::regnamespace`)
	bodies = append(bodies, "EXECUTE format('DELETE FROM pgmq.%I WHERE vt < clock_timestamp()', q)") // the check must find it
	var refused []string
	for _, body := range bodies {
		for _, statement := range bodyWrite.FindAllString(comment.ReplaceAllString(body, ""), -1) {
			if strings.HasPrefix(statement, "DELETE FROM pgmq.meta ") {
				continue
			}
			for _, match := range call.FindAllStringSubmatch(statement, -1) {
				if volatile[strings.ToLower(match[1])] {
					refused = append(refused, match[1])
				}
			}
		}
	}
	check.Same(t, "volatile functions in writes", refused, []string{"clock_timestamp"})
}

func TestQueueHasNothingThatADistributedTableRefuses(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	for what, sql := range map[string]string{
		"triggers":     `SELECT count(*)::int FROM pg_trigger WHERE tgrelid IN ('{Q}'::regclass, '{A}'::regclass)`,
		"foreign keys": `SELECT count(*)::int FROM pg_constraint WHERE contype = 'f' AND '{Q}'::regclass IN (conrelid, confrelid)`,
		"parents":      `SELECT count(*)::int FROM pg_inherits WHERE inhrelid IN ('{Q}'::regclass, '{A}'::regclass)`,
	} {
		check.Equal(t, what, check.Value[int](t, pgtest.Pool(), check.Tables(q.Name(), sql)), 0)
	}
}
