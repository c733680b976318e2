package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/fetch"
)

func TestAFetchBlamesTheMessageByTheCause(t *testing.T) {
	server := func(severity, code string) error {
		return fmt.Errorf("wrapped: %w", &pgconn.PgError{SeverityUnlocalized: severity, Code: code})
	}
	small, large := &Delivery{apart: 10}, &Delivery{apart: fetch.Large + 1}
	for name, c := range map[string]struct {
		of   *Delivery
		err  error
		want int
	}{
		"terminated":                {large, server("FATAL", "57P01"), 0},
		"the server shuts down":     {small, server("FATAL", "57P03"), 0},
		"a pooler ends the session": {small, &pgconn.PgError{Severity: "FATAL", Code: "08P01"}, 0},
		"the link is cut":           {large, io.ErrUnexpectedEOF, 1},
		"the server is read-only":   {small, server("ERROR", "25006"), 1},
		"no time for a small one":   {small, context.DeadlineExceeded, 1},
		"no time for a large one":   {large, context.DeadlineExceeded, fetchPatience},
		"no memory for a large one": {large, server("ERROR", "53200"), fetchPatience},
		"statement_timeout":         {small, server("ERROR", "57014"), fetchPatience - 1},
		"its value":                 {small, server("ERROR", "22P05"), fetchPatience},
		"it is damaged":             {small, server("ERROR", "XX001"), fetchPatience},
		"an unknown error":          {small, errors.New("?"), 1},
	} {
		if got := c.of.blame(c.err); got != c.want {
			t.Errorf("%s: %d, and not %d", name, got, c.want)
		}
	}
}
