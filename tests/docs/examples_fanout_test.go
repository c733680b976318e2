package docs

import (
	"strings"
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestExampleFanoutGivesEachQueueWhatItAskedFor(t *testing.T) {
	check.Long(t)
	pool, binary := check.OwnDatabase(t), example(t, "fanout")
	consumers := startProgram(t, pool, binary)
	for _, bound := range []string{"billing has orders.*.placed", "europe has orders.eu.#", "auditing has #"} {
		consumers.says(bound)
	}
	for _, event := range []struct{ topic, body, copies string }{
		{"orders.eu.placed", `{"id": 1}`, "3"},
		{"orders.us.placed", `{"id": 2}`, "2"},
		{"orders.eu.stock.low", `{"id": 3}`, "2"},
		{"logins", `{"id": 4}`, "1"},
	} {
		publisher := startProgram(t, pool, binary, event.topic, event.body)
		publisher.succeeds()
		check.Contains(t, publisher.output(), event.topic+" goes to "+event.copies+" queues")
	}
	wants := map[string]string{"billing": "12", "europe": "13", "auditing": "1234"}
	for name := range wants {
		check.Eventually(t, "all is consumed", func() bool {
			return check.Value[int](t, pool, check.Tables(name, `SELECT count(*)::int FROM {Q}`)) == 0
		})
	}
	consumers.stop()
	for name, want := range wants {
		for _, id := range []string{"1", "2", "3", "4"} {
			copies := strings.Count(consumers.output(), name+` got {"id": `+id+`}`)
			check.Equal(t, "copies of "+id+" in "+name, copies, strings.Count(want, id))
		}
	}
}
