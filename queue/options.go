package queue

import (
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/jsonb"
	"github.com/pgmq-go/pgmq/internal/option"
)

// defaultVT is long enough for a handler that calls another service, and short
// enough to wait for after a crash.
const defaultVT = 30 * time.Second

// lastYear is the last year of Postgres' timestamptz.
const lastYear = 294276

// SendOption is an option of Send, SendBatch, SendMessages and SendAsync: [Delay],
// [At] or [Headers].
type SendOption interface {
	applySend(o *sendOptions) error
}

// ReadOption is an option of Read and Messages: [VT] or [WaitFor].
type ReadOption interface {
	applyRead(o *readOptions) error
}

// VT is the visibility timeout of a read: the time for which its messages are
// hidden from other readers. The default, also of VT(0), is 30 s. The least is 1 µs;
// for consumers and Messages, which extend it while a handler runs, 100 ms.
type VT time.Duration

// WaitFor is the time for which a read waits for a first message. It reads every
// 5 ms at first and every 250 ms in the end. The default is 0: no waiting.
type WaitFor time.Duration

// Delay is the time for which a message stays hidden after it was sent. The default
// is 0. It counts from the statement, not from the commit.
type Delay time.Duration

// At is the time until which a message stays hidden. The default, also of a zero
// time, is none. It excludes Delay. Its year is from 1 to 294276, the last one of
// Postgres.
type At time.Time

// Headers travel with the body of a message. The default is none. encoding/json
// encodes the values.
type Headers map[string]any

type sendOptions struct {
	at      *time.Time
	delay   time.Duration
	headers Headers
}

type readOptions struct {
	vt, wait time.Duration
}

func sendOptionsOf(opts []SendOption) (o sendOptions, err error) {
	if err := option.Apply(&o, opts, SendOption.applySend); err != nil {
		return o, err
	}
	if o.at != nil && o.delay != 0 {
		return o, option.Invalid("At and Delay exclude each other")
	}
	return o, nil
}

func readOptionsOf(opts []ReadOption) (readOptions, error) {
	o := readOptions{vt: defaultVT}
	err := option.Apply(&o, opts, ReadOption.applyRead)
	return o, err
}

func (vt VT) applyRead(o *readOptions) error {
	return vt.apply(&o.vt)
}

func (vt VT) apply(to *time.Duration) error {
	if vt < 0 || 0 < vt && time.Duration(vt) < time.Microsecond {
		return option.Invalid("VT is %v, less than 1µs", time.Duration(vt))
	}
	*to = defaultVT
	return option.OrDefault("VT", time.Duration(vt), to)
}

func (w WaitFor) applyRead(o *readOptions) error {
	o.wait = 0
	return option.OrDefault("WaitFor", time.Duration(w), &o.wait)
}

func (d Delay) applySend(o *sendOptions) error {
	o.delay = 0
	return option.OrDefault("Delay", time.Duration(d), &o.delay)
}

func (at At) applySend(o *sendOptions) error {
	o.at = option.TimeOrNil(time.Time(at))
	if o.at == nil {
		return nil
	}
	if year := o.at.UTC().Year(); year < 1 || lastYear < year {
		return option.Invalid("At is in the year %d, not 1 to %d", year, lastYear)
	}
	return nil
}

func (h Headers) applySend(o *sendOptions) error {
	o.headers = h
	return nil
}

// encode returns the headers with those that interceptors added, as JSON that
// Postgres can store; nil for none. The caller's take precedence.
func (h Headers) encode(added map[string]any) (json.RawMessage, error) {
	if len(added) > 0 {
		all := maps.Clone(added)
		maps.Copy(all, h)
		h = all
	}
	if h == nil {
		return nil, nil
	}
	var raw json.RawMessage
	err := guarded("MarshalJSON of a header", func() (err error) {
		raw, err = generics.JSON[map[string]any]{}.Encode(h)
		return err
	})
	if err == nil {
		err = jsonb.Check(raw)
	}
	if err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	return raw, nil
}

// checkHidden checks the argument of SetVT, whose zero means now.
func checkHidden(vt time.Duration) error {
	if vt < 0 {
		return option.Invalid("vt is %v, below 0", vt)
	}
	return nil
}
