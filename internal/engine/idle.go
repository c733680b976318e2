package engine

import (
	"time"

	"github.com/pgmq-go/pgmq/generics"
	"github.com/pgmq-go/pgmq/internal/scan"
	"github.com/pgmq-go/pgmq/internal/wake"
)

// state is the engine's knowledge of its queue. It decides when to read next.
// docs/inside.md draws it.
type state int

const (
	// busy: the last read found all that it had room for. Read again at once.
	busy state = iota
	// flowing: it found several messages. Read again after a short rest, in which
	// more will have come; no sender has to notify.
	flowing
	// trickling: it found one message, most likely the only one. Subscribe before
	// the next read: a read before that would find nothing and be repeated.
	trickling
	// empty: it found nothing. Subscribe.
	empty
	// polling: notifications do not arrive. Scan, with growing pauses.
	polling
	// settling: subscribed, while transactions run that may have sent before they
	// could see the subscription. Scan until they have ended.
	settling
	// quiet: subscribed, and every message will be notified. Sleep, and scan seldom.
	quiet
)

// pace is the state with its counters. It is a value; its methods return the next
// one and have no side effects.
type pace struct {
	state   state
	misses  int           // reads in a row that found nothing
	senders int64         // transactions below this id may have sent without notifying; 0 if not known
	pauses  int           // since the subscription, counted from 1; they set the length of the next
	pause   time.Duration // the last one
	scanned bool          // since the last pause
}

// facts are the inputs of a decision, beside the state.
type facts struct {
	sinceRead    time.Duration // since the last read began
	sendersEnded bool          // pace.senders may have ended
	visible      bool          // a known message is due, and no read has tried it
	due          time.Duration // until the next known message, or the next step of the sweep
	jitter       float64       // from 0 to 1: the part of half a pause that is left out
	quietPause   time.Duration // the longest pause in state quiet
	pollInterval time.Duration // the longest pause in state polling
}

// action is the next step of the loop.
type action struct {
	do   verb
	wait time.Duration // of rest and await; of scanOnce the time in which no consumer may have scanned
}

type verb int

const (
	read      verb = iota // read messages
	rest                  // sleep, and ignore notifications
	subscribe             // ask senders to notify, then call pace.subscribed
	scanQueue             // scan the queue, then call pace.scanFound
	scanOnce              // the same, unless another consumer of the pool has scanned lately
	await                 // sleep until a notification, then call pace.woken or pace.waited
)

// next decides when to read next. The loop performs the action, passes the result to
// one of the methods below, and calls next again.
func (p pace) next(f facts) (pace, action) {
	switch p.state {
	case busy:
		return p, action{do: read}
	case flowing:
		p.state = busy
		return p, action{do: rest, wait: wake.MinInterval - f.sinceRead}
	case trickling, empty:
		return p, action{do: subscribe}
	}
	if !p.scanned {
		p.scanned = true
		switch {
		case p.state == quiet:
			return p, action{do: scanOnce, wait: f.quietPause / 2}
		case p.state == polling, p.senders == 0, p.pauses > patience, f.sendersEnded:
			return p, action{do: scanQueue}
		}
		// settling: a scan is of little use before those senders have ended.
	}
	if f.visible && p.misses < 2 {
		p.state = busy
		return p, action{do: read}
	}
	p.pause = p.longest(f)
	p.pause -= time.Duration(f.jitter * float64(p.pause/2))
	if f.visible {
		return p, action{do: await, wait: p.pause}
	}
	return p, action{do: await, wait: min(f.due, p.pause)}
}

// longest returns the longest pause of a state that waits.
func (p pace) longest(f facts) time.Duration {
	switch {
	case f.visible: // reads find nothing all the same: other readers take it
		return generics.Doubling(contendedFirst, contendedLast, p.misses)
	case p.state == polling:
		return generics.Doubling(2*wake.MinInterval, f.pollInterval, p.pauses)
	case p.state == settling:
		return generics.Doubling(2*wake.MinInterval, settlingLast, p.pauses)
	}
	return f.quietPause
}

// idle reports whether the engine waits, in one of the last three states.
func (p pace) idle() bool { return p.state >= polling }

// found notes a read that found n messages and had room for more or not.
func (p pace) found(n, room int) pace {
	p.misses++
	switch {
	case n == 0:
		p.state = empty
		return p
	case n >= room:
		p.state = busy
	case n == 1:
		p.state = trickling
	default:
		p.state = flowing
	}
	p.misses = 0
	return p
}

// subscribed notes whether senders will notify. Known is the transaction id below
// which they may not have, if the last read saw that it missed nothing else; or 0.
func (p pace) subscribed(ok bool, known int64) pace {
	p.scanned, p.pauses, p.pause, p.senders = false, 1, 0, 0
	if !ok {
		p.state = polling
		return p
	}
	p.state = settling
	if known > 0 {
		p.senders, p.pause = known, 2*wake.MinInterval
	}
	return p
}

// scanFound notes the transactions that a scan saw: all below oldestRunning have ended,
// those from nextID on had not begun to send.
func (p pace) scanFound(nextID, oldestRunning int64) pace {
	if p.senders == 0 {
		p.senders = nextID
	}
	if p.state == settling && oldestRunning >= p.senders {
		p.state = quiet
	}
	return p
}

// woken notes a notification.
func (p pace) woken() pace {
	p.state = busy
	return p
}

// waited notes the end of a wait without a notification. Whole says that it was the
// whole pause, and nothing was due before.
func (p pace) waited(whole, visible bool) pace {
	p.scanned = false
	switch {
	case visible:
		p.state = busy
	case whole:
		p.pauses++
	}
	return p
}

// quietPause returns the longest pause between two scans of a queue whose senders
// notify: a lease of another process that ended is found within a VT and a half.
func quietPause(vt time.Duration) time.Duration { return min(scan.QuietInterval, vt/2) }
