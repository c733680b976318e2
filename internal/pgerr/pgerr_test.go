package pgerr

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// Each code that a send or a settlement can meet, and whose fault it is.
func TestOnlyErrorsAboutAValueAreTheMessages(t *testing.T) {
	type verdict struct{ refused, divisible, permanent bool }
	value, row, names := verdict{true, true, false}, verdict{divisible: true}, verdict{permanent: true}
	policy, server := verdict{divisible: true, permanent: true}, verdict{}
	for codes, want := range map[string]verdict{
		"22P02 22P05 22003 22021 22001 22007 22008 22030 22032 54000 54001": value,
		"22000 22012 22004 2201E 22025 2201B 2203A 2200L 22023 54011 54023": row,
		"21000 23000 23001 23502 23503 23505 23514 23P01 P0000 P0001 P0004": row,
		"42P01 42883 42601 42703 28P01 28000 3D000 3F000":                   names,
		"42501": policy,
		"2200H": server,
		"08006 08P01 0A000 25001 25006 25P02 26000 40001 40P01 40003 42P05": server,
		"53000 53100 53200 53300 53400 55000 55006 55P03 57014 57P01 57P03": server,
		"58000 58030 58P01 72000 F0000 HV000 XX000 XX001 XX002 00000":       server,
		"": server,
	} {
		for _, code := range strings.Fields(codes) {
			err := fmt.Errorf("send: %w", &pgconn.PgError{Code: code})
			if got := (verdict{Refused(err), Divisible(err), Permanent(err)}); got != want {
				t.Errorf("%s: it is %+v, want %+v", code, got, want)
			}
		}
	}
}

// The server says by the same code that a value is too large and that it has run
// out of transaction ids.
func TestALimitOfTheServerIsNotTheMessages(t *testing.T) {
	for file, want := range map[string]bool{
		"": true, "jsonb_util.c": true, "jsonb.c": true, "stringinfo.c": true, "hio.c": true,
		"varsup.c": false, "multixact.c": false, "xact.c": false,
	} {
		err := &pgconn.PgError{Code: "54000", File: file}
		if Refused(err) != want || Divisible(err) != want {
			t.Errorf("%q: Refused is %v and Divisible %v, want %v", file, Refused(err), Divisible(err), want)
		}
	}
}

func TestWhatRefusesAConnectionRefusesNoValue(t *testing.T) {
	for _, err := range []error{nil, fmt.Errorf("broken pipe")} {
		if Refused(err) || Divisible(err) || Permanent(err) || ReadOnly(err) {
			t.Errorf("%v was taken for the server's", err)
		}
	}
}

func TestWhatATriggerComputesIsNotTheValueItself(t *testing.T) {
	err := &pgconn.PgError{Code: "22003", Where: "PL/pgSQL-Funktion count_all() Zeile 3 bei SQL-Anweisung"}
	if Refused(err) || !Divisible(err) {
		t.Errorf("Refused is %v and Divisible %v", Refused(err), Divisible(err))
	}
}
