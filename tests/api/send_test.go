package api

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestSendReturnsTheIDOfItsMessage(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	sent := make(map[int64]check.Order)
	for i := range int64(5) {
		order := check.Order{ID: i, Customer: "ada"}
		sent[check.Send(t, q, order)] = order
	}
	check.Equal(t, "the number of ids", len(sent), 5)
	for _, m := range check.Read(t, q, 10) {
		check.Equal(t, "the body", m.Body, sent[m.ID])
	}
}

func TestBatchOf100000ReturnsIDsInTheOrderSent(t *testing.T) {
	check.Slow(t)
	q := pgtest.Queue[int](t)
	bodies := make([]int, 100_000)
	for i := range bodies {
		bodies[i] = i
	}
	sent := check.SendBatch(t, q, bodies)
	if !slices.IsSorted(sent) {
		t.Error("ids do not rise")
	}
	msgs := check.Read(t, q, len(bodies))
	check.Equal(t, "the number of messages read", len(msgs), len(bodies))
	for i, m := range msgs {
		if m.ID != sent[i] || m.Body != bodies[i] {
			t.Fatalf("message %d of the batch is id %d with body %d; SendBatch said id %d", i, m.ID, m.Body, sent[i])
		}
	}
}

func TestBatchIsOneStatementAndOneRoundTrip(t *testing.T) {
	check.Parallel(t)
	name := pgtest.Queue[int](t).Name()
	var statements check.Tracer
	var turns check.RoundTrips
	q := check.Open[int](t, check.NewPool(t, func(c *pgxpool.Config) {
		c.MaxConns = 1
		c.ConnConfig.Tracer = &statements
		dial := c.ConnConfig.DialFunc
		c.ConnConfig.DialFunc = turns.Wrap(dial)
	}), name)

	batch := make([]int, 10_000)
	check.SendBatch(t, q, batch) // connects, and prepares the statement
	statementsBefore, turnsBefore := statements.Count(), turns.Count()
	check.SendBatch(t, q, batch)
	check.Equal(t, "the number of statements", statements.Count()-statementsBefore, 1)
	check.Equal(t, "the number of round trips", turns.Count()-turnsBefore, 1)
}

func TestBatchIsSentWholeOrNotAtAll(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), "ALTER TABLE {Q} ADD CHECK (message <> '7')"))

	sent, err := q.SendBatch(t.Context(), []int{1, 2, 3, 4, 5, 6, 7, 8, 9})
	check.SQLState(t, err, "23514")
	check.Equal(t, "the number of ids", len(sent), 0)
	check.Equal(t, "the length", check.Length(t, q), 0)
	check.SendBatch(t, q, []int{1, 2, 3})
	check.Equal(t, "the length", check.Length(t, q), 3)
}

func TestEmptyBatchSendsNothingAndIsNoError(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[int](t)
	for _, none := range [][]int{nil, {}} {
		sent, err := q.SendBatch(t.Context(), none)
		check.OK(t, err)
		check.Equal(t, "the number of ids", len(sent), 0)
	}
	check.Equal(t, "the length", check.Length(t, q), 0)
}

func TestSentBodiesComeBackAsTheyWere(t *testing.T) {
	check.Parallel(t)
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
	check.Send(t, q, want)
	got := check.ReadOne(t, q).Body
	check.Equal(t, "the text", got.Text, want.Text)
	check.Equal(t, "the big number", got.Big, want.Big)
	check.Equal(t, "the inner text", got.Next.Text, want.Next.Text)
	if !slices.Equal(got.Numbers, want.Numbers) || !slices.Equal(got.Bytes, want.Bytes) {
		t.Errorf("sent %v, got %v", want, got)
	}
	for key, text := range want.Map {
		check.Equal(t, "the value of "+key, got.Map[key], text)
	}
}
