// Package generate writes queues down as code. One declaration, pgmq.yaml,
// becomes goose migrations that make the queues and Go that opens them; and
// what is there already is compared with it.
//
// What was migrated is known without a database: every migration that it writes
// says in a comment what it leaves a queue as, and the last word counts.
package generate

import (
	"fmt"
	"strings"
)

// Declaration is what a pgmq.yaml says. Its paths are as the file's own: a
// relative one is seen from the current directory.
type Declaration struct {
	File       string // of the declaration itself
	Code       string // the Go file to write
	Package    string // its package
	Migrations string // the directory of goose
	Queues     []*Queue
}

// Stored returns what the database is to hold, in the order of the file.
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
	DeadLetters string   // the queue that they go to; "" for the archive
	DeadOf      []string // the queues whose dead letters come here
	Send        []string // options of package queue, as Go
	Consume     []string

	at map[string]position // of its keys' values; of its name at ""
}

// Stored is what Postgres keeps of a queue: the part of it that is migrated.
type Stored struct {
	Name       string     `json:"name"`
	Unlogged   bool       `json:"unlogged,omitempty"`
	Partitions Partitions `json:"partitions,omitzero"` // zero for none
	Notify     string     `json:"notify,omitempty"`    // the interval of announcements; "" for none
	Topics     []string   `json:"topics,omitempty"`    // sorted
}

// key is the same for two names of one table. Postgres lowers them, too.
func (s Stored) key() string { return strings.ToLower(s.Name) }

// Partitions say how a queue and its archive are partitioned, in Postgres' words.
type Partitions struct {
	Every      string `json:"every"` // a time, or a number of messages
	Keep       string `json:"keep"`  // the same
	Premake    int    `json:"premake"`
	DropUnread bool   `json:"drop_unread,omitempty"`
}

// position is a place in a declaration.
type position struct{ line, column int }

// Problem is something in a declaration that cannot be.
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
