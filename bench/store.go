package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// store is a directory with the results of each cell as JSON, and with report.md and
// the charts of all results in it.
type store string

// keep replaces the results of a cell, and writes the report and the charts anew.
func (s store) keep(r *record) error {
	if len(r.Results) == 0 {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(string(s), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(s.file(r.Cell+".json"), append(text, '\n'), 0o644); err != nil {
		return err
	}
	return s.draw()
}

func (s store) file(name string) string { return filepath.Join(string(s), name) }

// records returns the results in the directory, in the order of cells.
func (s store) records() ([]*record, error) {
	var all []*record
	for _, c := range cells {
		text, err := os.ReadFile(s.file(c.id + ".json"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		r := &record{}
		if err := json.Unmarshal(text, r); err != nil {
			return nil, fmt.Errorf("%s: %w", s.file(c.id+".json"), err)
		}
		all = append(all, r)
	}
	return all, nil
}

// draw writes the charts and the report.
func (s store) draw() error {
	records, err := s.records()
	if err != nil {
		return err
	}
	if len(records) == 0 {
		return fmt.Errorf("%s has no results", s)
	}
	charts, err := drawCharts(string(s), records)
	if err != nil {
		return err
	}
	f, err := os.Create(s.file("report.md"))
	if err != nil {
		return err
	}
	writeReport(f, records, charts)
	return f.Close()
}
