package generate_test

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/generate"
)

// Parse refuses a declaration with a line for each problem, or the declaration
// becomes formatted Go and a migration with the declared queues.
func FuzzDeclaration(f *testing.F) {
	sample, err := os.ReadFile("../../tests/migrate/testdata/generate/pgmq.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(sample), generate.Sample, "", "queues:", "queues: {a: {type: any}}", "queues: {a: &x {type: any}, b: *x}", "a: [1", "\t", "\xff",
		"queues: {\"a\\nb\": {type: any}}", "? [a]\n: b", "queues: {İ: {type: any}, i̇: {type: any}}", "queues: {a: {type: any, vt: 9223372036854775807ns}}",
		"queues: {time.: {type: any, dead_letters: (time.x)}}", "--- !!str\nqueues", "queues: {<<: {type: any}}",
		"queues: {'a\\b': {type: any, go: A, partitions: {every: 9, keep: 9}, topics: [a]}}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := generate.Parse("x.yaml", []byte(text))
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "x.yaml:") {
					t.Fatalf("%q has no position", line)
				}
			}
			return
		}
		code, err := d.GoCode()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := format.Source(code); err != nil || !bytes.Equal(code, again) {
			t.Fatalf("%v\n%s", err, code)
		}
		dir := t.TempDir()
		history, err := generate.ReadHistory(dir)
		if err != nil {
			t.Fatal(err)
		}
		changes := generate.Diff(nil, d.Stored())
		file := generate.File{Path: history.Next(changes, time.Now()), Text: []byte(generate.Migration("a test", changes))}
		if err := file.Write(); err != nil {
			t.Fatal(err)
		}
		if filepath.Dir(file.Path) != dir {
			t.Fatalf("%s is in another directory", file.Path)
		}
		if history, err = generate.ReadHistory(dir); err != nil {
			t.Fatal(err)
		}
		for _, change := range generate.Diff(history.Queues, d.Stored()) {
			t.Errorf("the migration lacks: %v", change)
		}
		for _, s := range d.Stored() {
			if err := s.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
