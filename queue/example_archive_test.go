package queue_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
)

// Look without touching: hidden messages are shown, too, and stay as they are.
func ExampleQueue_Peek() {
	ctx, tasks := context.Background(), fresh[string]("tasks")
	if _, err := tasks.SendBatch(ctx, []string{"wash", "dry", "fold"}); err != nil {
		log.Fatal(err)
	}
	if _, err := tasks.Read(ctx, 1); err != nil {
		log.Fatal(err)
	}

	msgs, err := tasks.Peek(ctx, 2)
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range msgs {
		fmt.Println(m.ID, m.Body, "read", m.Reads, "times")
	}
	// Output:
	// 1 wash read 1 times
	// 2 dry read 0 times
}

// Messages may differ in more than their bodies, and still go in one statement.
func ExampleQueue_SendEach() {
	ctx, alarms := context.Background(), fresh[string]("alarms")

	ids, err := alarms.SendEach(ctx, []queue.Outgoing[string]{
		{Body: "now"},
		{Body: "later", Options: []queue.SendOption{queue.Delay(time.Hour), queue.Headers{"snooze": true}}},
	})
	fmt.Println(ids, err)
	// Output: [1 2] <nil>
}

// An archive is read, replayed and pruned.
func ExampleReplay() {
	ctx, pool, bills := context.Background(), pgtest.Pool(), fresh[string]("bills")
	sent, err := bills.SendBatch(ctx, []string{"rent", "power", "water"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := bills.ArchiveID(ctx, sent...); err != nil {
		log.Fatal(err)
	}

	for m, err := range bills.Archived(ctx, queue.From(2)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("archived:", m.ID, m.Body)
	}
	replayed, err := queue.Replay(ctx, pool, "bills", queue.IDs{2})
	fmt.Println("replayed", replayed, err)
	pruned, err := queue.PruneArchive(ctx, pool, "bills", time.Now().Add(time.Hour))
	fmt.Println("pruned", pruned, err)
	// Output:
	// archived: 2 power
	// archived: 3 water
	// replayed 1 <nil>
	// pruned 2 <nil>
}
