package admin_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"testing"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
)

// The examples run, against a real Postgres.
func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, nil))
}

// fresh returns a new queue.
func fresh[T any](name string) *queue.Queue[T] {
	if err := admin.Create(context.Background(), pgtest.Pool(), name); err != nil {
		log.Fatal(err)
	}
	q, err := queue.New[T](pgtest.Pool(), name)
	if err != nil {
		log.Fatal(err)
	}
	return q
}

// Queues are made when a program is deployed: once more does no harm.
func ExampleCreate() {
	ctx, pool := context.Background(), pgtest.Pool()
	if err := admin.Create(ctx, pool, "invoices"); err != nil {
		log.Fatal(err)
	}
	if err := admin.Create(ctx, pool, "sightings", admin.Unlogged); err != nil {
		log.Fatal(err)
	}

	infos, err := admin.List(ctx, pool)
	if err != nil {
		log.Fatal(err)
	}
	for _, info := range infos {
		if info.Name == "invoices" || info.Name == "sightings" {
			fmt.Println(info.Name, info.Storage)
		}
	}
	// Output:
	// invoices logged
	// sightings unlogged
}

// A queue that still holds something stays.
func ExampleDropEmpty() {
	ctx, pool, parcels := context.Background(), pgtest.Pool(), fresh[string]("parcels")
	if _, err := parcels.Send(ctx, "a lamp"); err != nil {
		log.Fatal(err)
	}

	err := admin.DropEmpty(ctx, pool, "parcels")
	if full, ok := errors.AsType[*admin.NotEmptyError](err); ok {
		fmt.Println("still queued:", full.Queued)
	}
	if _, err := admin.Purge(ctx, pool, "parcels"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(admin.DropEmpty(ctx, pool, "parcels"))
	// Output:
	// still queued: 1
	// <nil>
}

func ExampleStats() {
	ctx, pool, letters := context.Background(), pgtest.Pool(), fresh[string]("letters")
	if _, err := letters.SendBatch(ctx, []string{"now", "too"}); err != nil {
		log.Fatal(err)
	}
	if _, err := letters.Send(ctx, "later", queue.Delay(time.Hour)); err != nil {
		log.Fatal(err)
	}

	stats, err := admin.Stats(ctx, pool, "letters")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats.Length, "messages,", stats.Visible, "visible")
	// Output: 3 messages, 2 visible
}

// A rate is the difference of two calls.
func ExampleMetrics() {
	ctx, pool, clicks := context.Background(), pgtest.Pool(), fresh[int]("clicks")
	measure := func() *admin.MessageMetrics {
		all, err := admin.Metrics(ctx, pool, "clicks")
		if err != nil {
			log.Fatal(err)
		}
		return all[0].Messages
	}

	before := measure()
	if _, err := clicks.SendBatch(ctx, []int{1, 2, 3}); err != nil {
		log.Fatal(err)
	}
	if _, err := clicks.DeleteID(ctx, 1, 2); err != nil {
		log.Fatal(err)
	}
	after := measure()

	sent := after.LastID - before.LastID
	fmt.Println("sent:", sent)
	fmt.Println("settled:", sent-(after.Length-before.Length))
	// Output:
	// sent: 3
	// settled: 2
}

func ExampleDescribe() {
	ctx, pool := context.Background(), pgtest.Pool()
	fresh[int]("tickets")

	d, err := admin.Describe(ctx, pool, "tickets")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("table:", d.Queue.Name)
	fmt.Println("primary key:", d.Queue.Indexes[0].Definition)
	fmt.Println("bound to topics:", len(d.Topics) > 0)
	// Output:
	// table: q_tickets
	// primary key: btree (msg_id)
	// bound to topics: false
}

// When the handler is mended, its dead letters go back to it.
func ExampleRedrive() {
	ctx, pool := context.Background(), pgtest.Pool()
	letters, letterbox := fresh[string]("mail"), fresh[string]("mail_dead")
	if _, err := letterbox.Send(ctx, "to whom it may concern", queue.Headers{
		"x-pgmq-dead-letter": map[string]any{"reason": "max reads", "queue": "mail"}, // a consumer sets it
	}); err != nil {
		log.Fatal(err)
	}

	moved, err := admin.Redrive(ctx, pool, "mail_dead", admin.ForReason(queue.ReasonMaxReads), admin.Rate(100))
	fmt.Println("moved", moved, err)
	msgs, err := letters.Read(ctx, 1)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(msgs[0].Body)
	// Output:
	// moved 1 <nil>
	// to whom it may concern
}

// An archive is replayed and pruned.
func ExampleReplay() {
	ctx, pool, bills := context.Background(), pgtest.Pool(), fresh[string]("bills")
	sent, err := bills.SendBatch(ctx, []string{"rent", "power", "water"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := bills.ArchiveID(ctx, sent...); err != nil {
		log.Fatal(err)
	}

	replayed, err := admin.Replay(ctx, pool, "bills", admin.IDs{2})
	fmt.Println("replayed", replayed, err)
	pruned, err := admin.Prune(ctx, pool, "bills", time.Now().Add(time.Hour))
	fmt.Println("pruned", pruned, err)
	// Output:
	// replayed 1 <nil>
	// pruned 2 <nil>
}
