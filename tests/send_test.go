package tests

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
)

func TestSendReturnsTheIDOfItsMessage(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[Order](t)
	sent := make(map[int64]Order)
	for i := range int64(5) {
		order := Order{ID: i, Customer: "ada"}
		sent[send(t, q, order)] = order
	}
	equal(t, "the number of ids", len(sent), 5)
	for _, m := range read(t, q, 10) {
		equal(t, "the body", m.Body, sent[m.ID])
	}
}

func TestBatchOf100000ReturnsIDsInTheOrderSent(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	bodies := make([]int, 100_000)
	for i := range bodies {
		bodies[i] = i
	}
	sent := sendBatch(t, q, bodies)
	if !slices.IsSorted(sent) {
		t.Error("ids do not rise")
	}
	msgs := read(t, q, len(bodies))
	equal(t, "the number of messages read", len(msgs), len(bodies))
	for i, m := range msgs {
		if m.ID != sent[i] || m.Body != bodies[i] {
			t.Fatalf("message %d of the batch is id %d with body %d; SendBatch said id %d", i, m.ID, m.Body, sent[i])
		}
	}
}

func TestBatchIsOneStatementAndOneRoundTrip(t *testing.T) {
	t.Parallel()
	name := pgtest.Queue[int](t).Name()
	var statements tracer
	var turns turnCounter
	q := open[int](t, newPool(t, func(c *pgxpool.Config) {
		c.MaxConns = 1
		c.ConnConfig.Tracer = &statements
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = turns.wrap(dial)
	}), name)

	batch := make([]int, 10_000)
	sendBatch(t, q, batch) // connects, and prepares the statement
	statementsBefore, turnsBefore := statements.count(), turns.count()
	sendBatch(t, q, batch)
	equal(t, "the number of statements", statements.count()-statementsBefore, 1)
	equal(t, "the number of round trips", turns.count()-turnsBefore, 1)
}

func TestBatchIsSentWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	exec(t, pgtest.Pool(), tables(q.Name(), "ALTER TABLE {Q} ADD CHECK (message <> '7')"))

	sent, err := q.SendBatch(t.Context(), []int{1, 2, 3, 4, 5, 6, 7, 8, 9})
	sqlState(t, err, "23514")
	equal(t, "the number of ids", len(sent), 0)
	equal(t, "the length", length(t, q), 0)
	sendBatch(t, q, []int{1, 2, 3})
	equal(t, "the length", length(t, q), 3)
}

func TestEmptyBatchSendsNothingAndIsNoError(t *testing.T) {
	t.Parallel()
	q := pgtest.Queue[int](t)
	for _, none := range [][]int{nil, {}} {
		sent, err := q.SendBatch(t.Context(), none)
		ok(t, err)
		equal(t, "the number of ids", len(sent), 0)
	}
	equal(t, "the length", length(t, q), 0)
}

func TestSentBodiesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	type body struct {
		Text    string            `json:"text"`
		Numbers []float64         `json:"numbers"`
		Big     int64             `json:"big"`
		Bytes   []byte            `json:"bytes"`
		Map     map[string]string `json:"map"`
		Next    *body             `json:"next,omitempty"`
	}
	q := pgtest.Queue[body](t)
	want := body{
		Text:    "quotes \" ' ` and \\ and $1 and \u2028 and \uFFFD and 😀 and <b>&",
		Numbers: []float64{0, -1.5, 1e300, 5e-324},
		Big:     1<<63 - 1,
		Bytes:   []byte{0, 1, 254, 255},
		Map:     map[string]string{"": "empty", "\\u0000": "no escape"},
		Next:    &body{Text: "inner"},
	}
	send(t, q, want)
	got := readOne(t, q).Body
	equal(t, "the text", got.Text, want.Text)
	equal(t, "the big number", got.Big, want.Big)
	equal(t, "the inner text", got.Next.Text, want.Next.Text)
	if !slices.Equal(got.Numbers, want.Numbers) || !slices.Equal(got.Bytes, want.Bytes) {
		t.Errorf("sent %v, got %v", want, got)
	}
	for key, text := range want.Map {
		equal(t, "the value of "+key, got.Map[key], text)
	}
}
