package table_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/table"
)

// recorder notes the texts that would go to the server.
type recorder struct{ texts []string }

func (r *recorder) Exec(_ context.Context, sql string, _ ...any) (pgconn.CommandTag, error) {
	r.texts = append(r.texts, sql)
	return pgconn.CommandTag{}, pgx.ErrNoRows
}

func (r *recorder) Query(ctx context.Context, sql string, _ ...any) (pgx.Rows, error) {
	_, err := r.Exec(ctx, sql)
	return nil, err
}

func (r *recorder) QueryRow(ctx context.Context, sql string, _ ...any) pgx.Row {
	_, err := r.Exec(ctx, sql)
	return row{err}
}

type row struct{ err error }

func (r row) Scan(...any) error { return r.err }

// rewritten calls every generated query on the tables of a queue.
func rewritten(t *testing.T, name string) []string {
	t.Helper()
	var r recorder
	bound := table.New(name).Bind(&r)
	queries := reflect.ValueOf(db.New())
	for i := range queries.NumMethod() {
		method := queries.Method(i)
		args := []reflect.Value{reflect.ValueOf(context.Background()), reflect.ValueOf(bound)}
		for j := 2; j < method.Type().NumIn(); j++ {
			args = append(args, reflect.Zero(method.Type().In(j)))
		}
		method.Call(args)
	}
	if len(r.texts) != queries.NumMethod() {
		t.Fatalf("%d texts of %d queries", len(r.texts), queries.NumMethod())
	}
	return r.texts
}

func TestEveryGeneratedQueryIsRewritten(t *testing.T) {
	t.Parallel()
	of := rewritten(t, `a"b`)
	own, archived := 0, 0
	for _, text := range of {
		if strings.Contains(text, "template_") {
			t.Errorf("a template table is left in:\n%s", text)
		}
		if strings.Contains(text, `"pgmq"."q_a""b"`) {
			own++
		}
		if strings.Contains(text, `"pgmq"."a_a""b"`) {
			archived++
		}
	}
	if own == 0 || archived == 0 {
		t.Errorf("%d queries on the queue's table and %d on its archive, of %d", own, archived, len(of))
	}
}

func FuzzNoAcceptedNameBreaksOutOfItsQuotes(f *testing.F) {
	for _, name := range []string{"orders", `a"b`, `"; DROP TABLE x`, "Ünï-Code.1", "a;b", "x'y", "", "\x00", "\xff", "İ", "Ⱥ", strings.Repeat("ü", 31)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if table.CheckName(name) != nil || strings.ToLower(name) != name {
			return
		}
		var r recorder
		_, _ = table.New(name).Bind(&r).Exec(t.Context(), "pgmq.template_queue")
		quoted, ok := strings.CutPrefix(r.texts[0], `"pgmq"."`)
		if !ok || !strings.HasSuffix(quoted, `"`) {
			t.Fatalf("%q became %s", name, r.texts[0])
		}
		quoted = strings.TrimSuffix(quoted, `"`)
		identifier := strings.ReplaceAll(quoted, `""`, `"`)
		if strings.Contains(strings.ReplaceAll(quoted, `""`, ""), `"`) || identifier != "q_"+name || len(identifier) > 63 {
			t.Fatalf("%q became %q", name, identifier)
		}
	})
}
