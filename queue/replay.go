package queue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pgmq-go/pgmq/db"
	"github.com/pgmq-go/pgmq/internal/table"
)

// movedAtOnce is how many messages one statement replays or prunes.
const movedAtOnce = 1000

// ReplayOption is an option of Replay: [IDs], [Since], [Until] or [Progress].
type ReplayOption interface {
	applyReplay(o *replayOptions) error
}

type replayOptions struct {
	archiveOptions
	ids      []int64 // nil for all
	progress func(int64)
}

// Replay moves messages from the archive of a queue back to the queue, as new
// messages, by rising ids. Their headers stay, their reads begin anew. Without
// [IDs], [Since] or [Until] it is everything that was in the archive when Replay
// began. It returns how many were moved.
//
// Each step moves up to 1,000 messages in one statement: whatever stops Replay, a
// message is either in the archive or in the queue, and calling it again goes on
// with what is in the archive. Two at once share the work. In a transaction it is
// all or nothing.
//
// Errors: [ErrName], [ErrOption], [ErrNoQueue], ctx's, and what pgx returns; the
// number is right with an error, too, but for a statement that was cut off.
func Replay(ctx context.Context, db DB, name string, opts ...ReplayOption) (int64, error) {
	h, err := open(db, name)
	if err != nil {
		return 0, err
	}
	moved, err := h.replay(ctx, opts)
	if err != nil {
		return moved, h.fail("replay", err)
	}
	return moved, nil
}

func (h handle) replay(ctx context.Context, opts []ReplayOption) (moved int64, err error) {
	o := replayOptions{progress: func(int64) {}}
	for _, opt := range opts {
		if opt == nil {
			return 0, errNilOption
		}
		if err := opt.applyReplay(&o); err != nil {
			return 0, err
		}
	}
	move := func(ids []int64) error {
		replayed, err := queries.Replay(ctx, h.db, db.ReplayParams{MsgIDs: ids, Alone: table.Alone(h.db)})
		moved += replayed
		if err == nil {
			o.progress(moved)
		}
		return err
	}
	if o.ids == nil {
		err := h.replayAll(ctx, o, move)
		return moved, err
	}
	if o.since != nil || o.until != nil {
		return 0, fmt.Errorf("%w: IDs excludes Since and Until", ErrOption)
	}
	slices.Sort(o.ids)
	for ids := range slices.Chunk(o.ids, movedAtOnce) {
		if err := move(ids); err != nil {
			return moved, err
		}
	}
	return moved, nil
}

func (h handle) replayAll(ctx context.Context, o replayOptions, move func([]int64) error) error {
	if err := o.narrow(ctx, h); err != nil {
		return err
	}
	began, err := queries.Now(ctx, h.db)
	if err != nil {
		return err
	}
	// What is done and archived again meanwhile stays there.
	if o.until == nil || o.until.After(began) {
		o.until = &began
	}
	for {
		ids, err := queries.ArchivedIDs(ctx, h.db, db.ArchivedIDsParams{FromID: o.from, ToID: o.to, Since: o.since, Until: o.until, N: movedAtOnce})
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := move(ids); err != nil {
			return err
		}
		o.from = ids[len(ids)-1] + 1
	}
}

func (ids IDs) applyReplay(o *replayOptions) error {
	o.ids = append([]int64{}, ids...) // not nil, which would be all
	return nil
}

func (s Since) applyReplay(o *replayOptions) error {
	o.since = timeOrNil(time.Time(s))
	return nil
}

func (u Until) applyReplay(o *replayOptions) error {
	o.until = timeOrNil(time.Time(u))
	return nil
}

func (p Progress) applyReplay(o *replayOptions) error {
	if p == nil {
		return errNilProgress
	}
	o.progress = p
	return nil
}
