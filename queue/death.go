package queue

import (
	"encoding/json"
	"errors"
	"strings"
	"time"
)

// Reason is why a message became a dead letter. As a RedriveOption it has only
// the messages redriven that died for it; the default is all.
type Reason string

const (
	// ReasonMaxReads says that the last delivery that MaxReads allows failed, or did not
	// end, or that its result could not be recorded.
	ReasonMaxReads Reason = "max reads"
	// ReasonUndecodable says that the body is no T.
	ReasonUndecodable Reason = "undecodable"
	// ReasonDeadLetter says that the handler returned DeadLetter.
	ReasonDeadLetter Reason = "dead letter"
	// ReasonDiscarded says that the handler returned Discard.
	ReasonDiscarded Reason = "discarded"
)

// Death is what the header x-pgmq-dead-letter of a message says.
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
	// EnqueuedAt is when it was sent first; DeadAt when it died. Both are by the
	// server's clock.
	EnqueuedAt time.Time `json:"enqueued_at"`
	DeadAt     time.Time `json:"dead_at"`
}

// Death returns how the message became a dead letter, the last time that it did,
// also after it was redriven; nil when it never did.
func (m *Message[T]) Death() *Death {
	var headers struct {
		Death *Death `json:"x-pgmq-dead-letter"`
	}
	if json.Unmarshal(m.rawHeaders, &headers) != nil {
		return nil // somebody else's header
	}
	return headers.Death
}

// note returns what the consumer knows of a job's death; where and when it was
// is added by the server.
func (j *job) note() json.RawMessage {
	const most = 4 << 10 // bytes of a text
	n := struct {
		Reason Reason `json:"reason"`
		Error  string `json:"error,omitempty"`
		Stack  string `json:"stack,omitempty"`
	}{Reason: j.reason}
	err := j.err
	if v, told := errors.AsType[*verdict](err); told {
		err = v.err
	}
	if err != nil {
		n.Error = storableText(err.Error(), most)
	}
	if p, ok := errors.AsType[*PanicError](err); ok {
		n.Stack = storableText(string(p.Stack), most)
	}
	raw, _ := json.Marshal(n) // three strings
	return raw
}

// storableText returns text that a jsonb can hold, of at most that many bytes.
func storableText(text string, most int) string {
	text = strings.ReplaceAll(text[:min(len(text), most)], "\x00", "")
	return strings.ToValidUTF8(text, "")
}
