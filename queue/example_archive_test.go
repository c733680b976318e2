package queue_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/pgmq-go/pgmq/queue"
)

// Peek shows hidden messages, too, and changes nothing.
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
func ExampleQueue_SendMessages() {
	ctx, alarms := context.Background(), fresh[string]("alarms")

	ids, err := alarms.SendMessages(ctx,
		queue.Outgoing[string]{Body: "now"},
		queue.Outgoing[string]{Body: "later", Options: []queue.SendOption{queue.Delay(time.Hour), queue.Headers{"snooze": true}}},
	)
	fmt.Println(ids, err)
	// Output: [1 2] <nil>
}

// The archive keeps messages until it is pruned.
func ExampleQueue_Archived() {
	ctx, bills := context.Background(), fresh[string]("bills")
	sent, err := bills.SendBatch(ctx, []string{"rent", "power", "water"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := bills.ArchiveID(ctx, sent...); err != nil {
		log.Fatal(err)
	}

	for m, err := range bills.Archived(ctx, queue.FromID(2)) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("archived:", m.ID, m.Body)
	}
	// Output:
	// archived: 2 power
	// archived: 3 water
}
