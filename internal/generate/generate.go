// Package generate turns a declaration of queues, pgmq.yaml, into code: goose
// migrations that create the queues, and Go that opens them. It also compares the
// existing files and a database with the declaration.
//
// The package needs no database to know the migrated state. Each migration that it
// writes contains a comment with the state of a queue after it. The last such
// comment of a queue counts.
package generate

import (
	"fmt"
	"strings"
)

// Declaration is the content of a pgmq.yaml. Relative paths, like that of the file
// itself, are relative to the current directory.
type Declaration struct {
	File       string // the path of the declaration itself
	Code       string // the Go file to write
	Package    string // its package
	Migrations string // goose's directory
	Queues     []*Queue
}

// Stored returns the queues that the database should have, in the order of the file.
func (d *Declaration) Stored() []Stored {
	all := make([]Stored, len(d.Queues))
	for i, q := range d.Queues {
		all[i] = q.Stored
	}
	return all
}

// Queue is one queue of a declaration.
type Queue struct {
	Stored
	GoName      string
	Type        goType
	DeadLetters string   // the queue for its dead letters; "" for the archive
	DeadOf      []string // the queues that send their dead letters here
	Send        []string // options of package queue as Go expressions
	Consume     []string // the same

	at map[string]position // where the value of each key is; "" is for the name
}

// Stored is the part of a queue that Postgres stores and migrations change.
type Stored struct {
	Name       string     `json:"name"`
	Unlogged   bool       `json:"unlogged,omitempty"`
	Partitions Partitions `json:"partitions,omitzero"` // zero for none
	Notify     string     `json:"notify,omitempty"`    // the interval of notifications; "" for none
	Topics     []string   `json:"topics,omitempty"`    // sorted
}

// key is the same for two names of one table: PGMQ lowers names, too.
func (s Stored) key() string { return strings.ToLower(s.Name) }

// Partitions are the partitions of a queue and its archive, in the form that
// pgmq.create_partitioned takes.
type Partitions struct {
	Every      string `json:"every"` // a time, or a number of messages
	Keep       string `json:"keep"`  // the same unit
	Premake    int    `json:"premake"`
	DropUnread bool   `json:"drop_unread,omitempty"`
}

// position is a place in a declaration.
type position struct{ line, column int }

// Problem is an error in a declaration.
type Problem struct {
	file string
	at   position
	text string
}

func (p Problem) Error() string {
	if p.at.line == 0 {
		return fmt.Sprintf("%s: %s", p.file, p.text)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.file, p.at.line, p.at.column, p.text)
}
