package migrate

import (
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// An error names the place of an invalid value, and a valid value.
func TestDeclarationsThatCannotBeAreRefused(t *testing.T) {
	check.Slow(t)
	shop := newShop(t, check.Tools{Pgmq: check.Command(t)})
	const orders = "queues:\n  orders:\n    type: any\n"
	for _, bad := range []struct{ declaration, why string }{
		{"", "pgmq.yaml: no documents in stream"},
		{"queues: [1", "pgmq.yaml:2:1: did not find expected ',' or ']'"},
		{"a: 1\n---\na: 2\n", "pgmq.yaml: expected single document, found multiple"},
		{"[]", "pgmq.yaml:1:1: a declaration is a list; it must be a mapping, key: value"},
		{"code: queues/queues.go\n", "pgmq.yaml:1:1: nothing is declared; a declaration must have queues"},
		{"queues:\n", "pgmq.yaml:1:8: queues is empty; it must be a mapping, key: value"},
		{"queus:\n  a: {type: any}\n", "pgmq.yaml:1:1: a declaration has no \"queus\"; it has code, package, migrations, queues"},
		{"code: queues\n" + orders, `pgmq.yaml:1:7: code is "queues"; it must be a Go file, such as queues/queues.go`},
		{"code: a-b/queues.go\n" + orders, `pgmq.yaml:1:7: "a-b" is not a valid name for a Go package; set one, such as package: queues`},
		{"package: func\n" + orders, `pgmq.yaml:1:10: "func" is not a valid name for a Go package; set one, such as package: queues`},
		{orders + "  orders:\n    type: any\n", `pgmq.yaml:4:3: "orders" is repeated; the first one is in line 2`},
		{orders + "  Orders:\n    type: any\n", `pgmq.yaml:4:3: queue "Orders" and queue "orders" in line 2 share the table q_orders; rename one of them`},
		{orders + "    partitions: {every: 1 day, keep: 2 days}\n  orders_default:\n    type: any\n", `pgmq.yaml:5:3: queue "orders_default" and queue "orders" in line 2 share the table q_orders_default; rename one of them`},
		{orders + "  Or-ders:\n    type: any\n    go: Orders\n", `pgmq.yaml:4:3: queue "Or-ders" and queue "orders" in line 2 share the Go name Queues.Orders; set another, such as go: OtherOrders`},
		{"queues:\n  new_a:\n    type: any\n    vt: 1m\n  a_consume:\n    type: any\n", `pgmq.yaml:5:3: queue "a_consume" and queue "new_a" in line 2 share the Go name NewAConsume; set another, such as go: OtherAConsume`},
		{"queues:\n  1st:\n    type: any\n", `pgmq.yaml:2:3: the name of queue "1st" does not make a Go name; set one, such as go: Orders`},
		{"queues:\n  a;b:\n    type: any\n", `pgmq.yaml:2:3: "a;b" cannot be a queue: it contains one of $ ; ' or --`},
		{"queues:\n  \"a\\nb\":\n    type: any\n", `pgmq.yaml:2:3: "a\nb" cannot be a queue: it contains a character that is not printable`},
		{"queues:\n  orders: {}\n", "pgmq.yaml:2:3: queue \"orders\" has no type; set the Go type of its messages, such as example.com/shop/events.OrderPlaced"},
		{"queues:\n  orders: any\n", "pgmq.yaml:2:11: a queue is a single value; it must be a mapping, key: value"},
		{orders + "    visibility: 1m\n", `pgmq.yaml:4:5: a queue has no "visibility"; it has type, go, storage, notify, delay, vt, workers, prefetch, max_reads, max_lease, shutdown_grace, dead_letters, archive_done, partitions, topics`},
		{orders + "    go: orders\n", `pgmq.yaml:4:9: go is "orders"; it must be a Go name that begins with a capital, such as Orders`},
		{orders + "    vt: 60\n", `pgmq.yaml:4:9: vt is "60"; it must be a duration of at least 100ms, such as 30s, 5m or 1h30m`},
		{orders + "    vt: 50ms\n", `pgmq.yaml:4:9: vt is "50ms"; it must be a duration of at least 100ms, such as 30s, 5m or 1h30m`},
		{orders + "    vt: [1m]\n", `pgmq.yaml:4:9: vt is a list; it must be a single value`},
		{orders + "    vt:\n", `pgmq.yaml:4:8: vt is empty; it must be a single value`},
		{orders + "    workers: 0\n", `pgmq.yaml:4:14: workers is "0"; it must be a number, 1 to 1000000`},
		{orders + "    max_reads: many\n", `pgmq.yaml:4:16: max_reads is "many"; it must be a number, 1 to 1000000`},
		{orders + "    archive_done: yes\n", `pgmq.yaml:4:19: archive_done is "yes"; it must be true or false`},
		{orders + "    storage: memory\n", `pgmq.yaml:4:14: storage is "memory"; it must be logged or unlogged`},
		{orders + "    notify: 1us\n", `pgmq.yaml:4:13: notify is "1us"; it must be a duration in whole milliseconds, up to an hour, such as 250ms`},
		{orders + "    topics: orders.*\n", `pgmq.yaml:4:13: topics is a single value; it must be a list`},
		{orders + "    topics: [a..b]\n", `pgmq.yaml:4:14: a topic is "a..b"; it must be up to 255 letters, digits, -, _ and dots, with * and # apart from each other, such as orders.*.eu`},
		{orders + "    dead_letters: Orders\n", `pgmq.yaml:4:19: dead_letters is "Orders"; it must be another queue, such as orders_dead`},
		{orders + "    partitions: {every: 1 day}\n", `pgmq.yaml:4:17: partitions have every "1 day" and keep ""; both must be times, such as 1 day and 30 days, or both numbers of messages, such as 10000 and 100000`},
		{orders + "    partitions: {every: 1 day, keep: 2 days, premake: 0}\n", `pgmq.yaml:4:55: premake is "0"; it must be a number, 1 to 1000000`},
		{orders + "    partitions: {every: 1 day, keep: 2 days}\n    storage: unlogged\n", `pgmq.yaml:5:14: a queue with partitions is always logged; leave out one of storage and partitions`},
		{"x: &x {type: any}\nqueues: {a: *x}\n", "pgmq.yaml:1:1: a declaration has no \"x\"; it has code, package, migrations, queues\npgmq.yaml:2:13: a queue is an alias; it must be a mapping, key: value"},
		{orders + "    dead_letters: dead\n  mails:\n    type: string\n    dead_letters: dead\n", `pgmq.yaml:7:19: the dead letters of queue "mails" go to "dead", which is not declared and already gets messages of type any; declare it with a type for both, such as encoding/json.RawMessage`},

		{"queues:\n  a:\n    type: '*Order'\n", `pgmq.yaml:3:11: type is "*Order"; it must be a type with its import path, such as example.com/shop/events.OrderPlaced, or its name alone if it is in the package of the generated code`},
		{"queues:\n  a:\n    type: example.com/shop/events.OrderPlacd\n", `pgmq.yaml:3:11: there is no type OrderPlacd in package events; it has OrderPlaced, Pair`},
		{"queues:\n  a:\n    type: example.com/shop/events.Pair\n", `pgmq.yaml:3:11: example.com/shop/events.Pair is generic; name a type without type parameters, such as one defined with it`},
		{"queues:\n  a:\n    type: example.com/shop/evnts.OrderPlaced\n", `pgmq.yaml:3:11: there is no package example.com/shop/evnts: cannot find module providing package …`},
		{"queues:\n  a:\n    type: events.OrderPlaced\n", `pgmq.yaml:3:11: there is no package events: package events is not in std …`},
		{"queues:\n  a:\n    type: example.com/shop/cmd/shop.Order\n", `pgmq.yaml:3:11: example.com/shop/cmd/shop is a program, which cannot be imported; move the type to another package`},
		{"queues:\n  a:\n    type: Order\n", `pgmq.yaml:3:11: there is no type Order in the package of the generated code, which has no Go files yet; write the type there, or give its import path, as in example.com/shop/events.OrderPlaced`},
		{"code: internal/queues/queues.go\nqueues:\n  a:\n    type: Order\n", `pgmq.yaml:4:11: there is no type Order in package queues; it has Click`},
		// All at once, in the order of the lines.
		{"queues:\n  a:\n    vt: 1\n    type: any\n    workers: x\n", "pgmq.yaml:3:9: vt is \"1\"; it must be a duration of at least 100ms, such as 30s, 5m or 1h30m\npgmq.yaml:5:14: workers is \"x\"; it must be a number, 1 to 1000000"},
	} {
		check.WriteFiles(t, shop.dir, map[string]string{"pgmq.yaml": bad.declaration})
		cmd := shop.pgmq("generate")
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("%q was taken: %s", bad.declaration, out)
		}
		got := strings.TrimSuffix(strings.TrimPrefix(string(out), "pgmq: "), "\n")
		why, goOn := strings.CutSuffix(bad.why, "…") // in Go's own words
		if got != why && (!goOn || !strings.HasPrefix(got, why)) {
			t.Errorf("%s\nsays\n%s\ninstead of\n%s", bad.declaration, got, bad.why)
		}
	}
	check.Same(t, "migrations", shop.migrations(), []string{"00041_.sql"})

	check.Failure(t, shop.pgmq("generate", "--file", "no.yaml"), 1, "no.yaml", "pgmq generate --init")
	check.Failure(t, shop.pgmq("generate", "--init"), 1, "pgmq.yaml exists already")
	check.Failure(t, shop.pgmq("generate", "orders"), 2, "--help")
	check.Failure(t, shop.pgmq("generate", "--check", "--init"), 2, "exclude each other", "--help")
}
