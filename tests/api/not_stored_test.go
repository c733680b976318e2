package api

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// leaving is a queue with a trigger that leaves out every message whose order_id ends
// with 3, as those that skip duplicates do.
func leaving(t testing.TB) *queue.Queue[check.Order] {
	t.Helper()
	q := pgtest.Queue[check.Order](t)
	trigger(t, q.Name(), "{Q}", "INSERT", `IF (NEW.message->>'order_id')::int % 10 = 3 THEN RETURN NULL; END IF; RETURN NEW;`)
	return q
}

// trigger adds a trigger to a table of a queue, {Q} or {A}, before an event.
func trigger(t testing.TB, name, table, event, body string) {
	t.Helper()
	check.Exec(t, pgtest.Pool(), check.Tables(name, fmt.Sprintf(`
		CREATE FUNCTION before_%[1]s() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN %[2]s END $$;
		CREATE TRIGGER t BEFORE %[3]s ON %[4]s FOR EACH ROW EXECUTE FUNCTION before_%[1]s()`,
		name, body, event, table)))
}

func orders(n int) (all []check.Order) {
	for i := range n {
		all = append(all, check.Order{ID: int64(i)})
	}
	return all
}

// notStored fails the test unless err says that these inputs were left out.
func notStored(t testing.TB, err error, indexes ...int) {
	t.Helper()
	check.Is(t, err, queue.ErrNotStored)
	check.EqualAll(t, "left out", check.As[*queue.NotStoredError](t, err).Indexes, indexes)
}

// sentAs fails the test unless the queue holds exactly the messages that were sent, each
// under the id that its sender got.
func sentAs(t testing.TB, q *queue.Queue[check.Order], sent map[int64]int64) {
	t.Helper()
	msgs := check.Peek(t, q, 5000)
	check.Equal(t, "messages", len(msgs), len(sent))
	for _, m := range msgs {
		check.Equal(t, "the body of its id", m.Body.ID, sent[m.ID])
	}
}

func TestConcurrentSendsLearnWhichOfThemATriggerLeftOut(t *testing.T) {
	check.Parallel(t)
	q := leaving(t)
	for _, send := range []struct {
		name string
		send func(check.Order, func(int64, error))
	}{
		{"Send", func(o check.Order, done func(int64, error)) { done(q.Send(t.Context(), o)) }},
		{"SendAsync", func(o check.Order, done func(int64, error)) {
			check.OK(t, q.SendAsync(t.Context(), o, done))
		}},
	} {
		var mu sync.Mutex
		sent, leftOut := map[int64]int64{}, 0
		var all sync.WaitGroup
		for g := range 20 {
			all.Go(func() {
				for i := range 20 {
					o := check.Order{ID: int64(20*g + i)}
					all.Add(1)
					send.send(o, func(id int64, err error) {
						defer all.Done()
						mu.Lock()
						defer mu.Unlock()
						switch {
						case errors.Is(err, queue.ErrNotStored) && o.ID%10 == 3:
							leftOut++
						case err == nil:
							sent[id] = o.ID
						default:
							t.Errorf("%s: %v", send.name, err)
						}
					})
				}
			})
		}
		all.Wait()
		check.Equal(t, send.name+": left out", leftOut, 40)
		sentAs(t, q, sent)
		_, err := admin.Purge(t.Context(), pgtest.Pool(), q.Name())
		check.OK(t, err)
	}
}

func TestABatchOfWhichATriggerLeavesSomeOutIsNotSentAndSaysWhich(t *testing.T) {
	check.Parallel(t)
	q := leaving(t)
	_, err := q.SendBatch(t.Context(), orders(20))
	notStored(t, err, 3, 13)
	var msgs []queue.Outgoing[check.Order]
	for _, o := range orders(5) {
		msgs = append(msgs, queue.Outgoing[check.Order]{Body: o})
	}
	_, err = q.SendMessages(t.Context(), msgs...)
	notStored(t, err, 3)
	_, err = q.SendBatch(t.Context(), []check.Order{{ID: 3}, {ID: 13}})
	notStored(t, err, 0, 1)
	_, err = q.Send(t.Context(), check.Order{ID: 3})
	notStored(t, err, 0)
	check.Equal(t, "messages", check.Length(t, q), 0)
	_, err = q.SendBatch(t.Context(), slices.Repeat([]check.Order{{ID: 3}}, 2000))
	check.Equal(t, "the most that are named", len(check.As[*queue.NotStoredError](t, err).Indexes), 1000)
	check.Equal(t, "messages", len(check.SendBatch(t, q, []check.Order{{ID: 1}, {ID: 2}})), 2)
}

func TestASendThatIsLeftOutDoesNotEndItsTransaction(t *testing.T) {
	check.Parallel(t)
	q := leaving(t)
	check.OK(t, pgx.BeginFunc(t.Context(), pgtest.Pool(), func(tx pgx.Tx) error {
		_, err := q.WithTx(tx).Send(t.Context(), check.Order{ID: 3})
		notStored(t, err, 0)
		_, err = q.WithTx(tx).Send(t.Context(), check.Order{ID: 4})
		return err
	}))
	check.Equal(t, "messages", check.Length(t, q), 1)
}

func TestInSQLToo(t *testing.T) {
	check.Parallel(t)
	q := leaving(t)
	bodies := `ARRAY['{"order_id":1}', '{"order_id":3}']::jsonb[]`
	check.Exec(t, pgtest.Pool(), `SELECT pgmq.bind_topic('leaving.' || $1, $1)`, q.Name())
	for _, sql := range []string{
		`pgmq.send($1, '{"order_id":3}')`, `pgmq.send($1, '{"order_id":3}', '{}'::jsonb, 5)`,
		`pgmq.send_batch($1, ` + bodies + `)`, `pgmq.send_batch($1, ` + bodies + `, 5)`,
		`pgmq.send_topic('leaving.' || $1, '{"order_id":3}')`, `pgmq.send_batch_topic('leaving.' || $1, ` + bodies + `)`,
	} {
		_, err := pgtest.Pool().Exec(t.Context(), `SELECT `+sql, q.Name())
		if err == nil {
			t.Errorf("%s: no error", sql)
			continue
		}
		check.SQLState(t, err, "27000")
	}
	check.Equal(t, "messages", check.Length(t, q), 0)
}

// A message that leaves a queue for an archive or another queue must arrive there.
func TestAMessageThatIsNotStoredWhereItGoesStaysWhereItIs(t *testing.T) {
	check.Parallel(t)
	q, dead := pgtest.Queue[check.Order](t), pgtest.Queue[check.Order](t)
	leave := `IF (%s->>'order_id')::int = 3 THEN RETURN NULL; END IF; RETURN NEW;`
	trigger(t, q.Name(), "{A}", "INSERT", fmt.Sprintf(leave, "NEW.message"))
	ids := check.SendBatch(t, q, orders(5))
	msgs := check.Read(t, q, 5)
	check.Is(t, q.Archive(t.Context(), msgs...), queue.ErrNotStored)
	_, err := q.ArchiveID(t.Context(), ids...)
	check.Is(t, err, queue.ErrNotStored)
	_, err = pgtest.Pool().Exec(t.Context(), `SELECT pgmq.archive($1, $2::bigint[])`, q.Name(), ids)
	check.SQLState(t, err, "27000")
	check.Equal(t, "still there", check.Length(t, q), 5)
	check.OK(t, q.Archive(t.Context(), msgs[0], msgs[1]))

	check.SendBatch(t, dead, orders(5))
	trigger(t, dead.Name(), "{A}", "INSERT", `RETURN NEW;`) // one that leaves nothing out
	_, err = admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), admin.To(q.Name()))
	check.OK(t, err)
	check.Equal(t, "redriven", check.Length(t, q), 8)

	back := leaving(t)
	check.SendBatch(t, dead, orders(5))
	_, err = admin.Redrive(t.Context(), pgtest.Pool(), dead.Name(), admin.To(back.Name()))
	check.Is(t, err, queue.ErrNotStored)
	check.Equal(t, "not redriven", check.Length(t, dead), 5)
	check.Exec(t, pgtest.Pool(), check.Tables(back.Name(), `INSERT INTO {A} (msg_id, vt, message) VALUES (1, now(), '{"order_id": 3}'), (2, now(), '{"order_id": 4}')`))
	_, err = admin.Replay(t.Context(), pgtest.Pool(), back.Name())
	check.Is(t, err, queue.ErrNotStored)
	check.Equal(t, "not replayed", check.Value[int](t, pgtest.Pool(), check.Tables(back.Name(), `SELECT count(*)::int FROM {A}`)), 2)
}

// A trigger may store a message under another id, or send another one meanwhile: Send
// returns the id under which the message is stored.
func TestEachSendGetsTheIDThatItsMessageHas(t *testing.T) {
	check.Parallel(t)
	for _, body := range []string{
		`NEW.msg_id := 1000000 - NEW.msg_id; RETURN NEW;`,
		`IF (NEW.message->>'order_id')::int % 10 = 7 THEN NEW.msg_id := NEW.msg_id + 5000000; END IF; RETURN NEW;`,
		`IF NEW.headers IS NULL THEN
			PERFORM pgmq.send_batch(substr(TG_TABLE_NAME, 3), ARRAY[jsonb_set(NEW.message, '{customer}', '"copy"'), '{"order_id": 3, "customer": "copy"}'], ARRAY['{}', '{}']::jsonb[]);
		END IF; RETURN NEW;`,
	} {
		q := pgtest.Queue[check.Order](t)
		trigger(t, q.Name(), "{Q}", "INSERT", body)
		sent := map[int64]int64{}
		for i, id := range check.SendBatch(t, q, orders(30)) {
			sent[id] = int64(i)
		}
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				id, err := q.Send(t.Context(), check.Order{ID: int64(100 + i)})
				mu.Lock()
				defer mu.Unlock()
				check.OK(t, err)
				sent[id] = int64(100 + i)
			})
		}
		all.Wait()
		check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `DELETE FROM {Q} WHERE message->>'customer' = 'copy'`))
		sentAs(t, q, sent)
	}
}

func TestARuleOrAPolicyThatLeavesAMessageOutIsAnError(t *testing.T) {
	check.Parallel(t)
	for _, rule := range []string{
		`ON INSERT TO {Q} DO INSTEAD NOTHING`,
		`ON INSERT TO {Q} WHERE NEW.message->>'order_id' = '3' DO INSTEAD NOTHING`,
	} {
		q := pgtest.Queue[check.Order](t)
		check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `CREATE RULE r AS `+rule))
		_, err := q.Send(t.Context(), check.Order{ID: 3})
		check.Is(t, err, queue.ErrNotStored)
		_, err = q.SendBatch(t.Context(), orders(5))
		check.Is(t, err, queue.ErrNotStored)
		_, err = pgtest.Pool().Exec(t.Context(), `SELECT pgmq.send($1, '{"order_id": 3}')`, q.Name())
		check.SQLState(t, err, "0A000")
		check.Equal(t, "messages", check.Length(t, q), 0)
	}
	q := pgtest.Queue[check.Order](t)
	pool := check.Role(t, "policed", `GRANT USAGE ON SCHEMA pgmq`, check.Tables(q.Name(), `GRANT ALL ON {Q}`))
	check.Exec(t, pgtest.Pool(), check.Tables(q.Name(), `
		ALTER TABLE {Q} ENABLE ROW LEVEL SECURITY;
		CREATE POLICY p ON {Q} USING (message->>'order_id' <> '3')`))
	policed := check.Open[check.Order](t, pool, q.Name())
	_, err := policed.Send(t.Context(), check.Order{ID: 3})
	check.SQLState(t, err, check.InsufficientPrivilege)
	_, err = policed.SendBatch(t.Context(), orders(5))
	check.SQLState(t, err, check.InsufficientPrivilege)
	check.Equal(t, "messages", check.Length(t, q), 0)
}

func TestSendsSayWhichInputsAreInInEveryExecMode(t *testing.T) {
	check.Parallel(t)
	q := leaving(t)
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		in := check.Open[check.Order](t, check.NewPool(t, func(c *pgxpool.Config) { c.ConnConfig.DefaultQueryExecMode = mode }), q.Name())
		check.SendBatch(t, in, orders(3))
		_, err := in.SendBatch(t.Context(), orders(5))
		notStored(t, err, 3)
		_, err = in.Send(t.Context(), check.Order{ID: 3})
		notStored(t, err, 0)
	}
}

// A trigger that keeps a message from being deleted or hidden is reported otherwise than
// a lost lease.
func TestAMessageThatATriggerKeepsIsNoLostLease(t *testing.T) {
	check.Parallel(t)
	q := pgtest.Queue[check.Order](t)
	check.SendBatch(t, q, orders(5))
	msgs := check.Read(t, q, 5)
	trigger(t, q.Name(), "{Q}", "DELETE OR UPDATE", `
		IF OLD.message->>'order_id' = '3' THEN RETURN NULL; END IF;
		IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;`)
	kept := msgs[3].ID
	for _, settle := range []func() error{
		func() error { return q.SetVT(t.Context(), time.Minute, msgs...) },
		func() error { return q.Archive(t.Context(), msgs[0], msgs[3]) },
		func() error { return q.Delete(t.Context(), msgs[1], msgs[3]) },
	} {
		err := settle()
		check.EqualAll(t, "kept", check.As[*queue.NotStoredError](t, err).IDs, []int64{kept})
		if errors.Is(err, queue.ErrLeaseLost) {
			t.Error(err)
		}
	}
	err := q.Delete(t.Context(), msgs...)
	check.EqualAll(t, "kept", check.As[*queue.NotStoredError](t, err).IDs, []int64{kept})
	check.EqualAll(t, "lost", check.As[*queue.LeaseLostError](t, err).Gone, []int64{msgs[0].ID, msgs[1].ID})
	existed, err := q.DeleteID(t.Context(), kept)
	check.OK(t, err)
	check.Equal(t, "deleted by id", len(existed), 0)
}
