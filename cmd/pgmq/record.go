package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pgmq-go/pgmq/queue"
)

// body is a message's body as it is stored.
type body = json.RawMessage

// record is a message as a line of JSON, with the names of PGMQ's columns.
type record struct {
	ID         int64           `json:"msg_id"`
	Reads      int             `json:"read_ct"`
	EnqueuedAt stamp           `json:"enqueued_at"`
	ArchivedAt *stamp          `json:"archived_at,omitempty"`
	VisibleAt  stamp           `json:"vt"`
	Message    body            `json:"message"`
	Headers    json.RawMessage `json:"headers"`
}

func recordOf(m *queue.Message[body]) record {
	return record{
		ID: m.ID, Reads: m.Reads, EnqueuedAt: stamp(m.EnqueuedAt), VisibleAt: stamp(m.VisibleAt),
		Message: m.Body, Headers: m.RawHeaders(),
	}
}

// unfetched is the line in place of a message that could not be fetched.
type unfetched struct {
	ID    int64  `json:"msg_id"`
	Error string `json:"error"`
}

// stamp is a time of the server, which may be infinite, or in a year that JSON's
// times do not have.
type stamp time.Time

// String writes it for people, and infinite ones as Postgres does.
func (s stamp) String() string {
	switch t := time.Time(s); {
	case t.Equal(queue.LastTime):
		return "infinity"
	case t.Equal(queue.FirstTime):
		return "-infinity"
	default:
		return timeText(t)
	}
}

func (s stamp) MarshalJSON() ([]byte, error) {
	text := s.String()
	if !strings.HasSuffix(text, "infinity") {
		text = time.Time(s).Format(time.RFC3339Nano)
	}
	return json.Marshal(text)
}

// envelope is a line for send --envelope. It takes a record, too, so that send can
// send the output of another command.
type envelope struct {
	Message json.RawMessage `json:"message"`
	Headers queue.Headers   `json:"headers"`
	Delay   float64         `json:"delay"` // in seconds, as in SQL

	// These belong to the old message, and not to the new one.
	ID         any `json:"msg_id"`
	Reads      any `json:"read_ct"`
	EnqueuedAt any `json:"enqueued_at"`
	LastReadAt any `json:"last_read_at"`
	ArchivedAt any `json:"archived_at"`
	VisibleAt  any `json:"vt"`
}

var errEnvelope = errors.New(`no envelope, which is {"message": …, "headers": {…}, "delay": seconds}`)

// parseEnvelope takes the text apart. Its errors show names, and no values.
func parseEnvelope(text []byte) (envelope, error) {
	var e envelope
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	in.UseNumber() // headers stay as they are
	if err := in.Decode(&e); err != nil {
		if unknown, is := strings.CutPrefix(err.Error(), "json: unknown field "); is {
			return e, fmt.Errorf("%w: %s is not known", errEnvelope, unknown)
		}
		return e, errEnvelope
	}
	if e.Message == nil {
		return e, fmt.Errorf("%w: it has no message", errEnvelope)
	}
	return e, nil
}

// parseBody checks that text is JSON.
func parseBody(text []byte) (body, error) {
	var b body
	err := json.Unmarshal(text, &b)
	return b, err
}

// parseHeaders takes a JSON object; "" is none.
func parseHeaders(text string) (queue.Headers, error) {
	if text == "" {
		return nil, nil
	}
	var h queue.Headers
	in := json.NewDecoder(strings.NewReader(text))
	in.UseNumber()
	if !json.Valid([]byte(text)) || in.Decode(&h) != nil || h == nil {
		return nil, errors.New(`--headers is no JSON object, such as {"trace": "4bf92f35"}`)
	}
	return h, nil
}
