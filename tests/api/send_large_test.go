package api

import (
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestBodyOf10MBComesBackAsItWas(t *testing.T) {
	check.Slow(t)
	q := pgtest.Queue[string](t)
	body := strings.Repeat("ten bytes\n", 1_000_000)
	check.Send(t, q, body)
	check.SendBatch(t, q, []string{body, "small"})
	msgs := check.Read(t, q, 10)
	check.Equal(t, "the number of messages", len(msgs), 3)
	for _, m := range msgs[:2] {
		if m.Body != body {
			t.Errorf("message %d has %d bytes, not %d, or others", m.ID, len(m.Body), len(body))
		}
	}
	check.OK(t, q.Archive(t.Context(), msgs...))
}

// Several of the server's processes share their cost.
func TestLargeMessagesAreSentSideBySide(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[string](t)
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `ALTER TABLE {Q} ADD CHECK (pg_sleep(1)::text = '')`)) // for each row
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			if _, err := q.Send(t.Context(), strings.Repeat("x", 8<<10)); err != nil {
				t.Error(err)
			}
		})
	}
	check.Eventually(t, "both are under way", func() bool {
		return check.Value[int](t, pgtest.Pool(), `SELECT count(*)::int FROM pg_stat_activity
			WHERE wait_event = 'PgSleep' AND position('"q_' || $1 || '"' IN query) > 0`, q.Name()) == 2
	})
	all.Wait()
	check.Equal(t, "the length", check.Length(t, q), 2)
}

// Both sizes are in one test, because each takes a gigabyte for a moment, and with
// the race detector half a minute.
func TestSizesBeyondTheServersAreRefusedBeforeTheyAreSent(t *testing.T) {
	check.Slow(t)
	q := pgtest.Queue[[]byte](t) // base64 makes four bytes of three
	defer debug.FreeOSMemory()
	body := make([]byte, 192<<20)

	sent, err := q.SendBatch(t.Context(), [][]byte{nil, body})
	e := check.As[*queue.EncodeError](t, err)
	check.Equal(t, "the place of the body over 256 MiB", e.Index, 1)
	check.Equal(t, "the number of ids", len(sent), 0)

	_, err = q.Send(t.Context(), nil, queue.Headers{"h": body})
	e = check.As[*queue.EncodeError](t, err)
	check.Equal(t, "the place of headers over 256 MiB", e.Index, -1)

	fits := body[:81<<20]
	sent, err = q.SendBatch(t.Context(), [][]byte{fits, fits, nil, fits, fits, fits, nil})
	e = check.As[*queue.EncodeError](t, err)
	check.Equal(t, "the place of the body that takes the batch over 512 MiB", e.Index, 5)
	check.Equal(t, "the number of ids", len(sent), 0)
	check.Equal(t, "the length", check.Length(t, q), 0)
}
