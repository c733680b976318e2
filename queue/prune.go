package queue

import (
	"context"
	"time"

	"github.com/pgmq-go/pgmq/db"
)

// PruneArchive removes for good what was archived before a time, and returns how
// many messages that were. The option is [Progress].
//
// Each step removes up to 1,000 messages in one statement: whatever stops it,
// calling it again goes on. In a transaction it is all or nothing. Errors:
// [ErrName], [ErrOption], [ErrNoQueue], ctx's and what pgx returns; the number is
// right with an error, too, but for a statement that was cut off.
func PruneArchive(ctx context.Context, db DB, name string, before time.Time, opts ...PruneOption) (int64, error) {
	h, err := open(db, name)
	if err != nil {
		return 0, err
	}
	pruned, err := h.pruneArchive(ctx, before, opts)
	if err != nil {
		return pruned, h.fail("prune archive", err)
	}
	return pruned, nil
}

// PruneOption is an option of PruneArchive: [Progress].
type PruneOption interface {
	applyPrune(o *pruneOptions) error
}

type pruneOptions struct{ progress func(int64) }

func (h handle) pruneArchive(ctx context.Context, before time.Time, opts []PruneOption) (pruned int64, err error) {
	o := pruneOptions{progress: func(int64) {}}
	for _, opt := range opts {
		if opt == nil {
			return 0, errNilOption
		}
		if err := opt.applyPrune(&o); err != nil {
			return 0, err
		}
	}
	step := db.PruneArchiveParams{Before: before, N: movedAtOnce}
	for {
		row, err := queries.PruneArchive(ctx, h.db, step)
		if err != nil {
			return pruned, err
		}
		if row.Pruned == 0 {
			return pruned, nil
		}
		pruned += row.Pruned
		o.progress(pruned)
		step.Since = &row.LastArchivedAt
	}
}

func (p Progress) applyPrune(o *pruneOptions) error {
	if p == nil {
		return errNilProgress
	}
	o.progress = p
	return nil
}
