package wake

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestASubscriptionEndsWhenNobodyWaitsOrNotificationsComeTooOften(t *testing.T) {
	type notification struct {
		after     time.Duration
		waitedFor bool
		ended     bool
	}
	for name, all := range map[string][]notification{
		"now and then":  {{time.Hour, true, false}, {MinInterval, true, false}, {time.Second, true, false}},
		"too often":     {{time.Hour, true, false}, {MinInterval - 1, true, true}},
		"nobody waits":  {{time.Hour, true, false}, {time.Hour, false, true}},
		"at first":      {{MinInterval - 1, true, true}},
		"not asked for": {{time.Hour, false, true}, {time.Hour, true, false}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := Subscription{active: true, renewedAt: time.Now(), minInterval: MinInterval}
				for i, n := range all {
					time.Sleep(n.after)
					if ended := s.notified(n.waitedFor); ended != n.ended {
						t.Fatalf("notification %d: ended is %v", i+1, ended)
					}
				}
				if ended := all[len(all)-1].ended; s.received != len(all) || s.active && ended {
					t.Errorf("received %d, active %v", s.received, s.active)
				}
			})
		})
	}
}

func TestASubscriptionContinuesWhileNothingWasNotifiedAndItHasNotEnded(t *testing.T) {
	before := Subscription{active: true, generation: 3, received: 5}
	for name, c := range map[string]struct {
		before    Subscription
		change    func(*Subscription)
		continues bool
	}{
		"nothing happened":      {before, func(*Subscription) {}, true},
		"it was not active":     {Subscription{generation: 3, received: 5}, func(*Subscription) {}, false},
		"a notification came":   {before, func(s *Subscription) { s.notified(true) }, false},
		"it ended and is again": {before, func(s *Subscription) { s.end(); s.active = true }, false},
	} {
		now := before
		if c.change(&now); now.Continues(c.before) != c.continues {
			t.Errorf("%s: continues is %v", name, !c.continues)
		}
	}
}
