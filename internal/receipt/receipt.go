// Package receipt identifies reads of messages. A statement that settles messages
// compares their receipts, so that a stale holder changes nothing.
package receipt

import (
	"cmp"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

// Receipt identifies one read of a message. No two reads of a message have the
// same: the count rises with each, and the time still differs should a crash of
// the server ever take a count back. The zero value is the receipt of no read.
type Receipt struct {
	reads int32
	at    time.Time
}

// Of returns the receipt of a row that was read. It looks at nothing else of it:
// while a lease is extended, the body may still be on its way.
func Of(row *db.Message) Receipt {
	r := Receipt{reads: row.ReadCt}
	if row.LastReadAt != nil {
		r.at = *row.LastReadAt
	}
	return r
}

// Same reports whether two receipts are of the same read.
func (r Receipt) Same(other Receipt) bool { return r.reads == other.reads && r.at.Equal(other.at) }

// List holds the receipts of several messages in the order that the queries ask
// for: by id; several of one id with the latest last, which is the one that counts.
type List struct {
	MsgIDs      []int64
	ReadCts     []int32
	LastReadAts []time.Time
}

// Sorted returns items in the order of a List, and their List.
func Sorted[E any](items []E, of func(E) (id int64, r Receipt)) ([]E, List) {
	items = slices.SortedStableFunc(slices.Values(items), func(a, b E) int {
		aID, aReceipt := of(a)
		bID, bReceipt := of(b)
		return cmp.Or(
			cmp.Compare(aID, bID),
			cmp.Compare(aReceipt.reads, bReceipt.reads),
			aReceipt.at.Compare(bReceipt.at),
		)
	})
	var list List
	for _, one := range items {
		id, receipt := of(one)
		list.MsgIDs = append(list.MsgIDs, id)
		list.ReadCts = append(list.ReadCts, receipt.reads)
		list.LastReadAts = append(list.LastReadAts, receipt.at)
	}
	return items, list
}

// Without returns the distinct ids that are not among others, sorted.
func Without(ids, others []int64) []int64 {
	among := make(map[int64]bool, len(others))
	for _, id := range others {
		among[id] = true
	}
	left := slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return among[id] })
	slices.Sort(left)
	return slices.Compact(left)
}
