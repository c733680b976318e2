package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
	"github.com/pgmq-go/pgmq/tests/sabotage"
)

// poisoned is a queue with each kind of message that is hard to read between good
// ones.
func poisoned(t *testing.T) (q *queue.Queue[string], good, bad []int64) {
	t.Helper()
	q = pgtest.Queue[string](t)
	comes, stays := check.Poisonous()
	for _, values := range stays {
		good = append(good, check.Send(t, q, "good"))
		bad = append(bad, check.Insert(t, q.Name(), check.PoisonColumns, values))
	}
	for _, values := range comes {
		good = append(good, check.Insert(t, q.Name(), check.PoisonColumns, values), check.Send(t, q, "good"))
	}
	return q, good, bad
}

// split returns the ids of messages and of those that could not be fetched.
func split(t *testing.T, msgs []*queue.Message[string], err error) (good, bad []int64) {
	t.Helper()
	for _, m := range msgs {
		good = append(good, m.ID)
	}
	for _, f := range queue.FetchErrors(err) {
		bad = append(bad, f.ID)
	}
	if err != nil && len(bad) == 0 {
		t.Fatal(err)
	}
	slices.Sort(bad)
	return good, bad
}

func TestOneMessageThatDoesNotComeOutCostsItselfAlone(t *testing.T) {
	check.Parallel(t)
	t.Run("read", func(t *testing.T) {
		t.Parallel()
		q, good, bad := poisoned(t)
		msgs, err := q.Read(t.Context(), 100, queue.VT(time.Hour))
		read, unread := split(t, msgs, err)
		check.EqualAll(t, "the messages", read, good)
		check.EqualAll(t, "those that could not be fetched", unread, bad)
		check.OK(t, q.Delete(t.Context(), msgs...))
		gone, err := q.DeleteID(t.Context(), bad...)
		check.OK(t, err)
		check.EqualAll(t, "what was deleted", gone, bad)
		check.Equal(t, "messages", check.Length(t, q), 0)
	})
	t.Run("peek", func(t *testing.T) {
		t.Parallel()
		q, good, bad := poisoned(t)
		far := check.Insert(t, q.Name(), check.PoisonColumns, `'infinity', 'infinity', '"good"', NULL`)
		msgs, err := q.Peek(t.Context(), 100)
		seen, unseen := split(t, msgs, err)
		check.EqualAll(t, "the messages", seen, append(good, far))
		check.EqualAll(t, "those that could not be fetched", unseen, bad)
		check.Equal(t, "the year of infinity", msgs[len(msgs)-1].VisibleAt.UTC().Year(), 294276)
		archived, err := q.ArchiveID(t.Context(), append(good, append(bad, far)...)...)
		check.OK(t, err)
		check.Equal(t, "what was archived", len(archived), len(good)+len(bad)+1)
		check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `UPDATE {A} SET archived_at = 'infinity' WHERE msg_id = $1`), far)
		var inArchive, failed []int64
		for m, err := range q.Archived(t.Context()) {
			if err == nil {
				inArchive = append(inArchive, m.ID)
				continue
			}
			failed = append(failed, check.As[*queue.FetchError](t, err).ID)
		}
		check.EqualAll(t, "the archived messages", inArchive, append(good, far))
		check.EqualAll(t, "those that could not be fetched", failed, bad)
	})
	t.Run("pop", func(t *testing.T) {
		t.Parallel()
		q, good, bad := poisoned(t)
		msgs, err := q.Pop(t.Context(), 100)
		popped, failed := split(t, msgs, err)
		check.EqualAll(t, "the messages", popped, good)
		check.EqualAll(t, "those that could not be fetched", failed, bad)
		check.Equal(t, "reads before", msgs[0].Reads, 0)
		check.Equal(t, "messages", check.Length(t, q), 0)
		check.EqualAll(t, "the archive", check.Values[int64](t, pgtest.Pool(), check.Tables(q.Name(), `SELECT msg_id FROM {A} ORDER BY msg_id`)), bad)
	})
	t.Run("messages", func(t *testing.T) {
		t.Parallel()
		q, good, bad := poisoned(t)
		var got, failed []int64
		for m, err := range q.Messages(t.Context(), queue.WaitFor(time.Second), queue.VT(time.Hour)) {
			if err != nil {
				failed = append(failed, check.As[*queue.FetchError](t, err).ID)
				continue
			}
			got = append(got, m.ID)
			check.OK(t, q.Delete(t.Context(), m))
		}
		slices.Sort(got)
		slices.Sort(failed)
		check.EqualAll(t, "the messages", got, good)
		check.EqualAll(t, "those that could not be fetched", failed, bad)
	})
}

// A message for which the server had no time may come out another time.
func TestPopLeavesAMessageForWhichTimeWasShort(t *testing.T) {
	check.Parallel(t)
	direct := pgtest.Queue[string](t)
	hasty := check.NewPool(t, func(c *pgxpool.Config) {
		c.ConnConfig.RuntimeParams["statement_timeout"] = "3s"
		sabotage.Use(c, func(sql string) string {
			if !strings.Contains(sql, "name: Peek ") {
				return sql
			}
			return strings.Replace(sql, "WHERE ", "WHERE (SELECT pg_sleep(60)) IS NOT NULL AND ", 1)
		})
	})
	check.Send(t, direct, "quick")
	damaged := check.Insert(t, direct.Name(), "vt, message", "now(), "+check.Damaged) // so that each is fetched by itself
	q := check.Open[string](t, hasty, direct.Name())
	_, err := q.Pop(t.Context(), 1)
	check.OK(t, err)
	check.Equal(t, "messages that pop at once", check.Length(t, direct), 1)
	slow := check.Send(t, direct, "slow")
	msgs, err := q.Pop(t.Context(), 10)
	check.Equal(t, "messages", len(msgs), 0)
	check.Equal(t, "those that could not be fetched", len(queue.FetchErrors(err)), 2)
	left := check.Values[int64](t, pgtest.Pool(), check.Tables(direct.Name(), `SELECT msg_id FROM {Q} WHERE vt > now() ORDER BY msg_id`))
	check.EqualAll(t, "messages left", left, []int64{damaged, slow})
}

func TestWhatGrowsWhenItIsWrittenOutIsNotSent(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[json.RawMessage](t)
	grows := json.RawMessage("[" + strings.TrimRight(strings.Repeat("1e131071,", 9000), ",") + "]")
	_, err := q.Send(t.Context(), grows)
	check.As[*queue.EncodeError](t, err)
	_, err = q.SendBatch(t.Context(), []json.RawMessage{json.RawMessage("1"), grows})
	check.Equal(t, "the place in the batch", check.As[*queue.EncodeError](t, err).Index, 1)
	_, err = q.Send(t.Context(), json.RawMessage("1"), queue.Headers{"h": grows})
	check.As[*queue.EncodeError](t, err)
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestAReadOverASlowLinkReturnsTheSmallMessages(t *testing.T) {
	check.Long(t)
	direct := pgtest.Queue[string](t)
	pool, proxy := check.Proxied(t, func(*pgxpool.Config) {})
	q := check.Open[string](t, pool, direct.Name())
	small := check.Send(t, direct, "small")
	large := check.Insert(t, direct.Name(), "vt, message", `now(), to_jsonb((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 500000) AS i))`)
	proxy.Throttle(512 << 10)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // the large one takes 30 s
	defer cancel()
	msgs, err := q.Peek(ctx, 10)
	good, bad := split(t, msgs, err)
	check.EqualAll(t, "peeked", good, []int64{small})
	check.EqualAll(t, "not peeked", bad, []int64{large})
	ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	msgs, err = q.Read(ctx, 10)
	good, bad = split(t, msgs, err)
	check.EqualAll(t, "read", good, []int64{small})
	check.EqualAll(t, "not read", bad, []int64{large})
}
