package sql

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// The meaning of a backslash in a plain literal depends on standard_conforming_strings,
// which a role may set. In E'…' it is always an escape.
func TestNoPlainLiteralHasABackslash(t *testing.T) {
	check.Parallel(t)
	literals := 0
	for _, dir := range []string{"schema", "queries", "internal/doctor/sql"} {
		check.OK(t, filepath.WalkDir(check.Root(dir), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".sql" {
				return err
			}
			text, err := os.ReadFile(path)
			for _, l := range plainLiterals(string(text)) {
				literals++
				for _, c := range l {
					if c == '\\' {
						t.Errorf("%s: '%s' needs an E", path, l)
						break
					}
				}
			}
			return err
		}))
	}
	if literals < 500 {
		t.Fatalf("only %d literals were found", literals)
	}
}

// plainLiterals are the texts in single quotes without an E, also in the bodies of
// functions.
func plainLiterals(sql string) (all []string) {
	for i := 0; i < len(sql); i++ {
		switch {
		case sql[i] == '-' && i+1 < len(sql) && sql[i+1] == '-':
			for i < len(sql) && sql[i] != '\n' {
				i++
			}
		case sql[i] == '\'':
			escapes := i > 0 && (sql[i-1] == 'E' || sql[i-1] == 'e')
			begin := i + 1
			for i++; i < len(sql) && (sql[i] != '\'' || i+1 < len(sql) && sql[i+1] == '\''); i++ {
				if sql[i] == '\'' || escapes && sql[i] == '\\' {
					i++ // the next one is part of it
				}
			}
			if !escapes {
				all = append(all, sql[begin:i])
			}
		}
	}
	return all
}
