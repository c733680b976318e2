package check

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// OK fails the test if err is not nil.
func OK(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Is fails the test unless err matches the target.
func Is(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("the error is %v, not %v", err, target)
	}
}

// As returns the E in err, or fails the test.
func As[E error](t testing.TB, err error) E {
	t.Helper()
	e, found := errors.AsType[E](err)
	if !found {
		t.Fatalf("the error is %v, not a %T", err, e)
	}
	return e
}

// SQLState fails the test unless err is that of the server.
func SQLState(t testing.TB, err error, code string) {
	t.Helper()
	if pg := As[*pgconn.PgError](t, err); pg.Code != code {
		t.Fatalf("SQLSTATE is %s (%s), not %s", pg.Code, pg.Message, code)
	}
}

// Equal fails the test unless got is want.
func Equal[V comparable](t testing.TB, what string, got, want V) {
	t.Helper()
	if got != want {
		t.Fatalf("%s is %v, not %v", what, got, want)
	}
}

// EqualAll fails the test unless got and want have the same elements in the same order.
func EqualAll[V comparable](t testing.TB, what string, got, want []V) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s are %v, not %v", what, got, want)
	}
}

// Contains fails the test unless text has all parts.
func Contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Fatalf("%q is missing in\n%s", part, text)
		}
	}
}

// Same is EqualAll for long lists: it prints one element per line.
func Same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%s:\n%s\ninstead of\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
