package queue

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAnnouncementsEndWhenNobodyWaitsOrTheyComeTooOften(t *testing.T) {
	type heard struct {
		after     time.Duration
		waitedFor bool
		last      bool
	}
	for name, all := range map[string][]heard{
		"now and then":  {{time.Hour, true, false}, {restTime, true, false}, {time.Second, true, false}},
		"too often":     {{time.Hour, true, false}, {restTime - 1, true, true}},
		"nobody waits":  {{time.Hour, true, false}, {time.Hour, false, true}},
		"at first":      {{restTime - 1, true, true}},
		"not asked for": {{time.Hour, false, true}, {time.Hour, true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := awaiting{awaited: true, asked: time.Now(), rest: restTime}
				for i, h := range all {
					time.Sleep(h.after)
					if last := a.hear(h.waitedFor); last != h.last {
						t.Fatalf("announcement %d: last is %v", i+1, last)
					}
				}
				if last := all[len(all)-1].last; a.heard != len(all) || a.awaited && last {
					t.Errorf("heard %d, awaited %v", a.heard, a.awaited)
				}
			})
		})
	}
}

func TestAReadCoversWhatIsAnnouncedSince(t *testing.T) {
	before := awaiting{awaited: true, spell: 3, heard: 5}
	for name, c := range map[string]struct {
		seen   sight
		change func(*awaiting)
		covers bool
	}{
		"nothing happened":        {sight{next: 9, queue: before}, func(*awaiting) {}, true},
		"it is not known":         {sight{queue: before}, func(*awaiting) {}, false},
		"nobody announced":        {sight{next: 9, queue: awaiting{spell: 3, heard: 5}}, func(*awaiting) {}, false},
		"one announced meanwhile": {sight{next: 9, queue: before}, func(a *awaiting) { a.hear(true) }, false},
		"they ceased to":          {sight{next: 9, queue: before}, func(a *awaiting) { a.cease(); a.awaited = true }, false},
	} {
		now := before
		if c.change(&now); c.seen.covers(now) != c.covers {
			t.Errorf("%s: covers is %v", name, !c.covers)
		}
	}
}
