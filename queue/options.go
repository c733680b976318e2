package queue

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/pgmq-go/pgmq/generics"
)

// defaultVT is long enough for a handler that calls out, short enough to wait
// for after a crash.
const defaultVT = 30 * time.Second

// lastYear is the last one of Postgres' timestamptz.
const lastYear = 294276

// SendOption is an option of Send and SendBatch: [Delay], [At] or [Headers].
type SendOption interface {
	applySend(o *sendOptions) error
}

// ReadOption is an option of Read: [VT] or [Wait].
type ReadOption interface {
	applyRead(o *readOptions) error
}

// VT is the visibility timeout of a read: how long its messages are hidden from
// other readers. The default, also of VT(0), is 30 s. The least is 1 µs, for
// Consume and its kin, which extend it while a handler runs, 100 ms.
type VT time.Duration

// Wait is how long a read waits for a first message, by asking again and again:
// every 5 ms at first, every 250 ms at last. The default is 0: no waiting.
type Wait time.Duration

// Delay is how long a message stays hidden after it was sent. The default is 0.
// It counts from the statement, not from the commit.
type Delay time.Duration

// At is a time before which a message stays hidden. The default, also of a zero
// time, is none. It excludes Delay. Its year is from 1 to 294276, the last one
// that Postgres knows.
type At time.Time

// Headers travel beside the body of a message. The default is none. Values are
// whatever encoding/json takes.
type Headers map[string]any

type sendOptions struct {
	at      *time.Time
	delay   time.Duration
	headers json.RawMessage
}

type readOptions struct {
	vt, wait time.Duration
}

func sendOptionsOf(opts []SendOption) (sendOptions, error) {
	var o sendOptions
	for _, opt := range opts {
		if opt == nil {
			return o, errNilOption
		}
		if err := opt.applySend(&o); err != nil {
			return o, err
		}
	}
	if o.at != nil && o.delay != 0 {
		return o, fmt.Errorf("%w: At and Delay exclude each other", ErrOption)
	}
	return o, nil
}

func readOptionsOf(opts []ReadOption) (readOptions, error) {
	o := readOptions{vt: defaultVT}
	for _, opt := range opts {
		if opt == nil {
			return o, errNilOption
		}
		if err := opt.applyRead(&o); err != nil {
			return o, err
		}
	}
	return o, nil
}

var errNilOption = fmt.Errorf("%w: an option is nil", ErrOption)

func (vt VT) applyRead(o *readOptions) error {
	d := time.Duration(vt)
	if vt == 0 {
		d = defaultVT
	}
	if d < time.Microsecond {
		return fmt.Errorf("%w: VT is %v, less than 1µs", ErrOption, d)
	}
	o.vt = d
	return nil
}

func (w Wait) applyRead(o *readOptions) error {
	if w < 0 {
		return fmt.Errorf("%w: Wait is %v, below 0", ErrOption, time.Duration(w))
	}
	o.wait = time.Duration(w)
	return nil
}

func (d Delay) applySend(o *sendOptions) error {
	if d < 0 {
		return fmt.Errorf("%w: Delay is %v, below 0", ErrOption, time.Duration(d))
	}
	o.delay = time.Duration(d)
	return nil
}

func (at At) applySend(o *sendOptions) error {
	o.at = nil
	t := time.Time(at)
	if t.IsZero() {
		return nil
	}
	if year := t.UTC().Year(); year < 1 || lastYear < year {
		return fmt.Errorf("%w: At is in the year %d, not 1 to %d", ErrOption, year, lastYear)
	}
	o.at = &t
	return nil
}

func (h Headers) applySend(o *sendOptions) error {
	o.headers = nil
	if h == nil {
		return nil
	}
	raw, err := generics.JSON[map[string]any]{}.Encode(h)
	if err == nil {
		err = storable(raw)
	}
	if err != nil {
		return &EncodeError{Index: -1, Err: fmt.Errorf("headers: %w", err)}
	}
	o.headers = raw
	return nil
}

// checkHidden checks the argument of SetVT, whose zero means now.
func checkHidden(vt time.Duration) error {
	if vt < 0 {
		return fmt.Errorf("%w: vt is %v, below 0", ErrOption, vt)
	}
	return nil
}
