package generate

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Sample is a first declaration for users to edit.
//
//go:embed sample.yaml
var Sample string

// Plan holds the files to write for a declaration.
type Plan struct {
	*Declaration
	Code File
	// Changes are the changes that the migrations lack. Without any, there is no
	// Migration to write.
	Changes   []Change
	Migration File
}

// File is a file to write.
type File struct {
	Path    string
	Text    []byte
	Current bool // the file exists with this text, ignoring line endings
}

// NewPlan loads a declaration and compares it with the existing files.
func NewPlan(file string, now time.Time) (*Plan, error) {
	d, err := Load(file)
	if err != nil {
		return nil, err
	}
	p := &Plan{Declaration: d, Code: File{Path: d.Code}}
	if p.Code.Text, err = d.GoCode(); err != nil {
		return nil, err
	}
	have, err := os.ReadFile(d.Code)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p.Code.Current = err == nil && SameText(have, p.Code.Text)

	history, err := ReadHistory(d.Migrations)
	if err != nil {
		return nil, err
	}
	p.Changes = Diff(history.Queues, d.Stored())
	p.Migration = File{
		Path:    history.Next(p.Changes, now),
		Text:    []byte(Migration("pgmq generate from "+filepath.Base(file), p.Changes)),
		Current: len(p.Changes) == 0,
	}
	return p, nil
}

// SameText reports whether a file has a text. It ignores line endings: git writes
// CRLF on Windows.
func SameText(have, want []byte) bool {
	return bytes.Equal(bytes.ReplaceAll(have, []byte("\r\n"), []byte("\n")), want)
}

// Write writes the file atomically and makes its directory.
func (f File) Write() error {
	dir := filepath.Dir(f.Path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	draft, err := os.CreateTemp(dir, ".pgmq-*")
	if err != nil {
		return err
	}
	defer os.Remove(draft.Name())
	_, err = draft.Write(f.Text)
	if err = errors.Join(err, draft.Chmod(0o644), draft.Close()); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return os.Rename(draft.Name(), f.Path)
}
