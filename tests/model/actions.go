package model

import (
	"errors"
	"slices"

	"pgregory.net/rapid"

	"github.com/pgmq-go/pgmq/queue"
)

var (
	someBody   = rapid.IntRange(0, 3)
	someHeader = rapid.IntRange(0, 2)
	someDelay  = rapid.SampledFrom([]int{0, 0, 1, 3})
	someVT     = rapid.IntRange(1, 3)
)

func must[V any](t *rapid.T, v V, err error) V {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func sameIDs(t *rapid.T, what string, got, want []int64) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Fatalf("%s: %v, not %v", what, got, want)
	}
}

func (r *run) send(t *rapid.T, c client) {
	body, header, delay := someBody.Draw(t, "body"), someHeader.Draw(t, "header"), someDelay.Draw(t, "delay")
	id, err := c.send(r.ctx, body, header, delay)
	r.take(t, must(t, []int64{id}, err), []int{body}, header, delay)
}

func (r *run) sendBatch(t *rapid.T, c client) {
	bodies := rapid.SliceOfN(someBody, 1, 4).Draw(t, "bodies")
	header, delay := someHeader.Draw(t, "header"), someDelay.Draw(t, "delay")
	ids, err := c.sendBatch(r.ctx, bodies, header, delay)
	r.take(t, must(t, ids, err), bodies, header, delay)
}

// take notes the messages that were sent.
func (r *run) take(t *rapid.T, ids []int64, bodies []int, header, delay int) {
	if len(ids) != len(bodies) {
		t.Fatalf("%d ids for %d bodies", len(ids), len(bodies))
	}
	for i, id := range ids {
		if len(r.sent) > 0 && id <= r.sent[len(r.sent)-1] {
			t.Fatalf("id %d after %d", id, r.sent[len(r.sent)-1])
		}
		r.sent = append(r.sent, id)
		r.model.send(id, bodies[i], header, delay)
	}
}

func (r *run) readSome(t *rapid.T, c client) {
	n, vt := rapid.IntRange(1, 5).Draw(t, "n"), someVT.Draw(t, "vt")
	got, err := c.read(r.ctx, n, vt)
	r.received(t, must(t, got, err), r.model.read(vt, r.oldest(c, got, n)))
}

// oldest returns the ids that a read of n should have got. The Go API may pass over
// messages that came back while there are enough that were never read.
func (r *run) oldest(c client, got []delivery, n int) []int64 {
	visible := r.model.visible()
	oldest := visible[:min(n, len(visible))]
	if _, inGo := c.(goClient); !inGo || len(got) != len(oldest) {
		return oldest
	}
	var ids []int64
	for _, id := range visible {
		switch {
		case len(ids) == len(got):
		case got[len(ids)].id == id:
			ids = append(ids, id)
		case r.model.queue[id].reads == 0:
			return oldest
		}
	}
	if len(ids) < len(got) {
		return oldest
	}
	return ids
}

func (r *run) readWhere(t *rapid.T, c chooser) {
	n, vt, body := rapid.IntRange(1, 5).Draw(t, "n"), someVT.Draw(t, "vt"), someBody.Draw(t, "body")
	got, err := c.readWhere(r.ctx, n, vt, body)
	visible := slices.DeleteFunc(r.model.visible(), func(id int64) bool { return r.model.queue[id].body != body })
	r.received(t, must(t, got, err), r.model.read(vt, visible[:min(n, len(visible))]))
}

func (r *run) pop(t *rapid.T, c client) {
	got, err := c.pop(r.ctx)
	r.received(t, must(t, got, err), r.model.pop(r.oldest(c, got, 1)))
}

// received compares the received messages, and keeps those that can be settled, if only by
// mistake.
func (r *run) received(t *rapid.T, got, want []delivery) {
	for i := range max(len(got), len(want)) {
		if i >= len(got) {
			t.Fatalf("%v was not received", want[i])
		}
		if i >= len(want) {
			t.Fatalf("%v was received", got[i])
		}
		if got[i].String() != want[i].String() {
			t.Fatalf("received %v, not %v", got[i], want[i])
		}
		if got[i].message != nil {
			got[i].lease = want[i].lease
			r.read = append(r.read, got[i])
		}
	}
}

var someWay = rapid.SampledFrom([]string{"delete", "archive", "set vt"})

// settle takes reads of now or of long ago, and perhaps the same one twice.
func (r *run) settle(t *rapid.T, c fencer) {
	if len(r.read) == 0 {
		t.SkipNow()
	}
	of := rapid.SliceOfN(rapid.SampledFrom(r.read), 1, 3).Draw(t, "reads")
	held := r.model.held(of)
	switch someWay.Draw(t, "way") {
	case "delete":
		r.told(t, of, held, c.delete(r.ctx, of))
		r.model.delete(held)
	case "archive":
		r.told(t, of, held, c.archive(r.ctx, of))
		r.model.toArchive(held)
	case "set vt":
		vt := rapid.IntRange(0, 3).Draw(t, "vt")
		r.told(t, of, held, c.setVT(r.ctx, vt, of))
		r.model.setVT(vt, held)
	}
}

// told checks that an error names the reads that did not hold.
func (r *run) told(t *rapid.T, of []delivery, held []int64, err error) {
	var lost, gone []int64
	for _, d := range of {
		if slices.Contains(held, d.id) || slices.Contains(lost, d.id) {
			continue
		}
		lost = append(lost, d.id)
		if _, there := r.model.queue[d.id]; !there {
			gone = append(gone, d.id)
		}
	}
	var told queue.LeaseLostError
	if lease, ok := errors.AsType[*queue.LeaseLostError](err); ok {
		told = *lease
	} else if err != nil {
		t.Fatal(err)
	}
	sameIDs(t, "leases lost", told.IDs, lost)
	sameIDs(t, "messages gone", told.Gone, gone)
}

// settleID takes ids, some of messages that are no longer there.
func (r *run) settleID(t *rapid.T, c client) {
	if len(r.sent) == 0 {
		t.SkipNow()
	}
	ids := rapid.SliceOfN(rapid.SampledFrom(r.sent), 1, 3).Draw(t, "ids")
	there := r.model.there(ids)
	switch someWay.Draw(t, "way") {
	case "delete":
		existed, err := c.deleteID(r.ctx, ids)
		sameIDs(t, "deleted", must(t, existed, err), there)
		r.model.delete(there)
	case "archive":
		existed, err := c.archiveID(r.ctx, ids)
		sameIDs(t, "archived", must(t, existed, err), there)
		r.model.toArchive(there)
	case "set vt":
		vt := rapid.IntRange(0, 3).Draw(t, "vt")
		existed, err := c.setVTID(r.ctx, vt, ids)
		sameIDs(t, "hidden", must(t, existed, err), there)
		r.model.setVT(vt, there)
	}
}

func (r *run) purge(t *rapid.T, c client) {
	purged, err := c.purge(r.ctx)
	if must(t, purged, err) != int64(len(r.model.queue)) {
		t.Fatalf("purged %d, not %d", purged, len(r.model.queue))
	}
	clear(r.model.queue)
}

func (r *run) count(t *rapid.T, c client) {
	all, visible, err := c.count(r.ctx)
	if must(t, all, err) != int64(len(r.model.queue)) || visible != int64(len(r.model.visible())) {
		t.Fatalf("%d messages, %d visible, not %d and %d", all, visible, len(r.model.queue), len(r.model.visible()))
	}
}
