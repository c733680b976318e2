package queue

import (
	"encoding/json"
	"time"

	"github.com/pgmq-go/pgmq/internal/engine"
)

// Reason is why a message became a dead letter.
type Reason string

const (
	// ReasonMaxReads means that the last delivery that MaxReads allows failed or did
	// not end, or that its result could not be recorded.
	ReasonMaxReads Reason = engine.ReasonMaxReads
	// ReasonUndecodable means that the body does not decode into T.
	ReasonUndecodable Reason = engine.ReasonUndecodable
	// ReasonUnfetchable means that the message does not come out of the queue: see
	// FetchError. It was moved as it is stored.
	ReasonUnfetchable Reason = engine.ReasonUnfetchable
	// ReasonDeadLetter means that the handler returned DeadLetter.
	ReasonDeadLetter Reason = engine.ReasonDeadLetter
	// ReasonDiscarded means that the handler returned Discard.
	ReasonDiscarded Reason = engine.ReasonDiscarded
	// ReasonTxEnded means that the handler of ConsumeTx ended its transaction itself.
	ReasonTxEnded Reason = engine.ReasonTxEnded
)

// Death is the header x-pgmq-dead-letter of a message.
type Death struct {
	Reason Reason `json:"reason"`
	// Error is the text of the last error, up to 4 KiB of it.
	Error string `json:"error"`
	// Stack is that of a panic, up to 4 KiB of it; else "".
	Stack string `json:"stack"`
	// Queue is where it died, ID its id and Reads its deliveries there.
	Queue string `json:"queue"`
	ID    int64  `json:"msg_id"`
	Reads int    `json:"reads"`
	// EnqueuedAt is when it was first sent, DeadAt when it died, both by the
	// server's clock.
	EnqueuedAt time.Time `json:"enqueued_at"`
	DeadAt     time.Time `json:"dead_at"`
}

// Death returns how the message last became a dead letter, also after it was
// redriven; nil when it never did.
func (m *Message[T]) Death() *Death {
	var headers struct {
		Death *Death `json:"x-pgmq-dead-letter"`
	}
	if json.Unmarshal(m.rawHeaders, &headers) != nil {
		return nil // another program's header
	}
	return headers.Death
}
