package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/internal/wake"
)

func TestNextDecidesByStateAndFacts(t *testing.T) {
	t.Parallel()
	const poll, quietFor = 500 * time.Millisecond, 15 * time.Second
	for name, c := range map[string]struct {
		pace  pace
		facts facts
		state state
		then  action
	}{
		"a full read is followed by another":   {pace{state: busy}, facts{}, busy, action{do: read}},
		"several messages by a rest":           {pace{state: flowing}, facts{sinceRead: time.Millisecond}, busy, action{do: rest, wait: wake.MinInterval - time.Millisecond}},
		"one message by a subscription":        {pace{state: trickling}, facts{}, trickling, action{do: subscribe}},
		"none by a subscription":               {pace{state: empty, misses: 1}, facts{}, empty, action{do: subscribe}},
		"without notifications it scans":       {pace{state: polling, pauses: 1}, facts{}, polling, action{do: scanQueue}},
		"and pauses":                           {pace{state: polling, pauses: 1, scanned: true}, facts{due: time.Hour}, polling, action{do: await, wait: 2 * wake.MinInterval}},
		"longer each time":                     {pace{state: polling, pauses: 4, scanned: true}, facts{due: time.Hour}, polling, action{do: await, wait: 16 * wake.MinInterval}},
		"up to the poll interval":              {pace{state: polling, pauses: 40, scanned: true}, facts{due: time.Hour}, polling, action{do: await, wait: poll}},
		"or until a message is due":            {pace{state: polling, pauses: 40, scanned: true}, facts{due: time.Millisecond}, polling, action{do: await, wait: time.Millisecond}},
		"subscribed, it scans":                 {pace{state: settling, pauses: 1}, facts{}, settling, action{do: scanQueue}},
		"but not while earlier senders run":    {pace{state: settling, pauses: 1, senders: 9}, facts{due: time.Hour}, settling, action{do: await, wait: 2 * wake.MinInterval}},
		"unless they may have ended":           {pace{state: settling, pauses: 1, senders: 9}, facts{sendersEnded: true}, settling, action{do: scanQueue}},
		"or it has waited for long":            {pace{state: settling, pauses: patience + 1, senders: 9}, facts{}, settling, action{do: scanQueue}},
		"whose pauses end at a second":         {pace{state: settling, pauses: 40, scanned: true}, facts{due: time.Hour}, settling, action{do: await, wait: settlingLast}},
		"quiet, it scans if no other has":      {pace{state: quiet, pauses: 9}, facts{}, quiet, action{do: scanOnce, wait: quietFor / 2}},
		"and sleeps":                           {pace{state: quiet, pauses: 9, scanned: true}, facts{due: time.Hour}, quiet, action{do: await, wait: quietFor}},
		"at random up to half as long":         {pace{state: quiet, pauses: 9, scanned: true}, facts{due: time.Hour, jitter: 1}, quiet, action{do: await, wait: quietFor / 2}},
		"a visible message is read":            {pace{state: quiet, misses: 1, scanned: true}, facts{visible: true}, busy, action{do: read}},
		"a contended one after a pause":        {pace{state: quiet, misses: 3, scanned: true}, facts{visible: true, due: -time.Second}, quiet, action{do: await, wait: 4 * contendedFirst}},
		"which ends at a quarter of a second":  {pace{state: polling, misses: 30, scanned: true}, facts{visible: true}, polling, action{do: await, wait: contendedLast}},
		"a message that was due is not waited": {pace{state: quiet, misses: 1, scanned: true}, facts{due: -time.Second}, quiet, action{do: await, wait: -time.Second}},
	} {
		c.facts.pollInterval, c.facts.quietPause = poll, quietFor
		if p, then := c.pace.next(c.facts); p.state != c.state || then != c.then {
			t.Errorf("%s: in state %d comes %+v, not in %d %+v", name, p.state, then, c.state, c.then)
		}
	}
}

func TestResultsMoveTheState(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		got, want pace
	}{
		"all that there was room for": {pace{state: quiet, misses: 3}.found(10, 10), pace{state: busy}},
		"the only one asked for":      {pace{misses: 3}.found(1, 1), pace{state: busy}},
		"one of many":                 {pace{misses: 3}.found(1, 10), pace{state: trickling}},
		"some of many":                {pace{misses: 3}.found(4, 10), pace{state: flowing}},
		"none":                        {pace{misses: 3}.found(0, 10), pace{state: empty, misses: 4}},

		"subscribed":              {pace{state: empty, misses: 1, pauses: 7}.subscribed(true, 0), pace{state: settling, misses: 1, pauses: 1}},
		"subscribed and covered":  {pace{state: trickling}.subscribed(true, 9), pace{state: settling, pauses: 1, senders: 9, pause: 2 * wake.MinInterval}},
		"no notifications arrive": {pace{state: empty}.subscribed(false, 9), pace{state: polling, pauses: 1}},

		"a scan while senders run":       {pace{state: settling}.scanFound(9, 8), pace{state: settling, senders: 9}},
		"a scan after them":              {pace{state: settling, senders: 9}.scanFound(12, 9), pace{state: quiet, senders: 9}},
		"a scan without a subscription":  {pace{state: polling, senders: 9}.scanFound(12, 12), pace{state: polling, senders: 9}},
		"the end of a pause":             {pace{state: settling, pauses: 2, scanned: true}.waited(true, false), pace{state: settling, pauses: 3}},
		"the sweep's next step":          {pace{state: quiet, pauses: 2, scanned: true}.waited(false, false), pace{state: quiet, pauses: 2}},
		"a message fell due":             {pace{state: quiet, pauses: 2, scanned: true}.waited(false, true), pace{state: busy, pauses: 2}},
		"a notification while it sleeps": {pace{state: quiet, pauses: 2}.woken(), pace{state: busy, pauses: 2}},
	} {
		if c.got != c.want {
			t.Errorf("%s: %+v, not %+v", name, c.got, c.want)
		}
	}
}

// A queue that nobody sends to costs a few scans at first and hardly any later.
func TestAnIdleQueueIsScannedSeldom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		subscribed bool
		ended      time.Duration // when the transactions that ran at first have ended
		least      int           // scans in an hour
		most       int
	}{
		"subscribed":                 {true, 0, 240, 600},
		"behind a long transaction":  {true, 10 * time.Minute, 600, 1800},
		"polling":                    {false, 0, 7200, 14600},
		"polling and no transaction": {false, time.Hour, 7200, 14600},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				scans, began := 0, time.Now()
				for p := (pace{state: empty, misses: 1}); time.Since(began) < time.Hour; {
					var then action
					switch p, then = p.next(facts{due: time.Hour, jitter: 0.5, quietPause: 15 * time.Second, pollInterval: time.Second / 2}); then.do {
					case subscribe:
						p = p.subscribed(c.subscribed, 0)
					case scanOnce, scanQueue:
						scans++
						oldest := int64(8)
						if time.Since(began) >= c.ended {
							oldest = 10
						}
						p = p.scanFound(9, oldest)
					case await:
						time.Sleep(then.wait)
						p = p.waited(then.wait == p.pause, false)
					default:
						t.Fatalf("it reads in state %d", p.state)
					}
				}
				if scans < c.least || scans > c.most {
					t.Errorf("%d scans in an hour, not %d to %d", scans, c.least, c.most)
				}
			})
		})
	}
}
