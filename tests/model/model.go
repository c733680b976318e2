// Package model checks that a queue behaves like a small model of it, for any operations
// in any order, through Go and through SQL.
//
//	RAPID_SEED=0 RAPID_CHECKS=10000 go test ./model    other sequences, and more of them
package model

import (
	"fmt"
	"maps"
	"slices"
)

// model states the promises of a queue, in a few lines without SQL. It counts
// time in hours: the real time of a test is negligible.
type model struct {
	now     int
	queue   map[int64]entry
	archive map[int64]entry
	leases  int // given so far
}

// entry is a message.
type entry struct {
	body, header int // header 0 is none
	reads        int
	lease        int // of the latest read, 0 before the first
	visibleAt    int
}

// delivery is one read of a message, and remains so when the message moves on.
type delivery struct {
	id           int64
	body, header int
	reads        int
	lease        int // the model's receipt
	message      any // the values that a client needs to settle it
}

// String leaves out values that differ from run to run.
func (d delivery) String() string {
	return fmt.Sprintf("message %d (body %d, header %d, read %d)", d.id, d.body, d.header, d.reads)
}

func newModel() *model {
	return &model{queue: map[int64]entry{}, archive: map[int64]entry{}}
}

func (m *model) clone() *model {
	c := *m
	c.queue, c.archive = maps.Clone(m.queue), maps.Clone(m.archive)
	return &c
}

func (m *model) send(id int64, body, header, delay int) {
	m.queue[id] = entry{body: body, header: header, visibleAt: m.now + delay}
}

// visible returns the ids that a reader may have now, oldest first.
func (m *model) visible() []int64 {
	var ids []int64
	for id, e := range m.queue {
		if e.visibleAt <= m.now {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// read leases the ids for vt hours.
func (m *model) read(vt int, ids []int64) []delivery {
	var read []delivery
	for _, id := range ids {
		e := m.queue[id]
		m.leases++
		e.reads, e.lease, e.visibleAt = e.reads+1, m.leases, m.now+vt
		m.queue[id] = e
		read = append(read, e.deliver(id))
	}
	return read
}

// pop removes the ids. A pop is no read: the count stays.
func (m *model) pop(ids []int64) []delivery {
	var popped []delivery
	for _, id := range ids {
		popped = append(popped, m.queue[id].deliver(id))
		delete(m.queue, id)
	}
	return popped
}

func (e entry) deliver(id int64) delivery {
	return delivery{id: id, body: e.body, header: e.header, reads: e.reads, lease: e.lease}
}

// there returns those of the ids that are in the queue, each once, sorted.
func (m *model) there(ids []int64) []int64 {
	var there []int64
	for _, id := range ids {
		if _, ok := m.queue[id]; ok {
			there = append(there, id)
		}
	}
	slices.Sort(there)
	return slices.Compact(there)
}

// held returns the ids of the deliveries that nobody has read again since. One
// that was popped, before it was ever read, has no lease; it is there again when
// its transaction rolled back.
func (m *model) held(of []delivery) []int64 {
	var held []int64
	for _, d := range of {
		latest := !slices.ContainsFunc(of, func(other delivery) bool { return other.id == d.id && other.reads > d.reads })
		if latest && d.lease > 0 && m.queue[d.id].lease == d.lease {
			held = append(held, d.id)
		}
	}
	return m.there(held)
}

func (m *model) delete(ids []int64) {
	for _, id := range ids {
		delete(m.queue, id)
	}
}

func (m *model) toArchive(ids []int64) {
	for _, id := range ids {
		m.archive[id] = m.queue[id]
		delete(m.queue, id)
	}
}

func (m *model) setVT(vt int, ids []int64) {
	for _, id := range ids {
		e := m.queue[id]
		e.visibleAt = m.now + vt
		m.queue[id] = e
	}
}
