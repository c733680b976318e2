package history

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// ReadFile reads the history in a file.
func ReadFile(path string) ([]*Event, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	events, err := Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return events, nil
}

// Read reads a history. The beginning and the end of an operation become one
// event, with the line of its end.
func Read(from io.Reader) ([]*Event, error) {
	type operation struct {
		proc string
		n    int64
	}
	var events []*Event
	begun := map[operation]*Event{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		e := &Event{}
		if err := json.Unmarshal(lines.Bytes(), e); err != nil {
			return nil, fmt.Errorf("line %d is no event: %w", n, err)
		}
		e.Line = n
		op := operation{e.Proc, e.N}
		switch before, open := begun[op]; {
		case e.N != 0 && open:
			*before = *e
			delete(begun, op)
			continue
		case e.N != 0 && e.End == 0:
			begun[op] = e
		}
		events = append(events, e)
	}
	return events, lines.Err()
}
