package admin

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/jsonb"
	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/queue"
)

// RedriveOption is an option of Redrive: [To], [IDs], [Containing], [ForReason],
// [Rate], [Progress] or [Intercept].
type RedriveOption interface {
	applyRedrive(o *redriveOptions) error
}

// ReplayOption is an option of Replay: [IDs], [Since], [Until], [Progress] or
// [Intercept].
type ReplayOption interface {
	applyReplay(o *replayOptions) error
}

// PruneOption is an option of Prune: [Progress].
type PruneOption interface {
	applyPrune(o *pruneOptions) error
}

// To is the queue that all dead letters go to. The default, also of To(""), is the
// queue that each of them died in.
type To string

// IDs limits Redrive or Replay to messages with these ids in the dead-letter queue
// or the archive. The default is all. An empty list is none, also a nil one: a
// search that found nothing moves nothing. Ids without a message are no error.
type IDs []int64

// Containing limits Redrive to messages whose body contains this JSON, as
// Postgres' operator @> understands it. The default, also of a nil one, is all.
type Containing json.RawMessage

// ForReason limits Redrive to messages that died for this reason. The default,
// also of ForReason(""), is all.
type ForReason queue.Reason

// Rate is the most messages that Redrive moves in a second. The default, also of
// Rate(0), is no limit.
type Rate float64

// Progress is called after every step with the number of messages moved or deleted
// so far. The default, also of a nil one, is none.
type Progress func(moved int64)

// Intercept runs an interceptor around the whole call. Several run in the order in
// which they are given, the first one outermost. The default, also of a nil one,
// is none.
type Intercept queue.Interceptor

// Since limits Replay to messages archived at that time or later. The default,
// also of a zero time, is all.
type Since time.Time

// Until limits Replay to messages archived before that time. The default,
// also of a zero time, is all messages archived before Replay began.
type Until time.Time

type redriveOptions struct {
	to           string
	ids          []int64 // sorted; nil for all
	body         json.RawMessage
	reason       pgtype.Text
	rate         float64 // messages a second; 0 for no limit
	progress     progress
	interceptors []Intercept
}

type replayOptions struct {
	ids          []int64 // sorted; nil for all
	since, until *time.Time
	progress     progress
	interceptors []Intercept
}

type pruneOptions struct{ progress progress }

// progress takes the reports of progress; the zero value drops them.
type progress struct{ report Progress }

func (p progress) at(moved int64) {
	if p.report != nil {
		p.report(moved)
	}
}

func (to To) applyRedrive(o *redriveOptions) error {
	o.to = string(to)
	return nil
}

// sorted returns the distinct ids in order; not nil, which would be all.
func (ids IDs) sorted() []int64 {
	sorted := append([]int64{}, ids...)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}

func (ids IDs) applyRedrive(o *redriveOptions) error {
	o.ids = ids.sorted()
	return nil
}

func (ids IDs) applyReplay(o *replayOptions) error {
	o.ids = ids.sorted()
	return nil
}

func (c Containing) applyRedrive(o *redriveOptions) error {
	o.body = nil
	if c == nil {
		return nil
	}
	raw, err := generics.JSON[json.RawMessage]{}.Encode(json.RawMessage(c))
	if err == nil {
		err = jsonb.Check(raw)
	}
	if err != nil {
		return option.Invalid("Containing is not JSON that a body can contain: %w", err)
	}
	o.body = raw
	return nil
}

func (reason ForReason) applyRedrive(o *redriveOptions) error {
	o.reason = pgtype.Text{String: string(reason), Valid: reason != ""}
	return nil
}

func (r Rate) applyRedrive(o *redriveOptions) error {
	o.rate = 0
	return option.OrDefault("Rate", float64(r), &o.rate)
}

func (p Progress) applyRedrive(o *redriveOptions) error {
	o.progress.report = p
	return nil
}

func (p Progress) applyReplay(o *replayOptions) error {
	o.progress.report = p
	return nil
}

func (p Progress) applyPrune(o *pruneOptions) error {
	o.progress.report = p
	return nil
}

func (i Intercept) applyRedrive(o *redriveOptions) error {
	if i != nil {
		o.interceptors = append(o.interceptors, i)
	}
	return nil
}

func (i Intercept) applyReplay(o *replayOptions) error {
	if i != nil {
		o.interceptors = append(o.interceptors, i)
	}
	return nil
}

func (s Since) applyReplay(o *replayOptions) error {
	o.since = option.TimeOrNil(time.Time(s))
	return nil
}

func (u Until) applyReplay(o *replayOptions) error {
	o.until = option.TimeOrNil(time.Time(u))
	return nil
}
