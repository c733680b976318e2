package scan

import "time"

const (
	// QuietInterval is the longest pause between two scans of a queue whose senders
	// notify. A scan finds messages of a plain INSERT, and leases of dead processes
	// that began since the scan before.
	QuietInterval = 15 * time.Second

	// horizon is how far ahead a scan sees messages fall due: beyond the next scan.
	horizon = 20 * time.Second

	// cheap is the time that any scan may take, also of a short queue. It is the server's
	// time, without the round trip: fewer scans do not make the link faster.
	// Measured by: make microbench BENCH=Wake.
	cheap = 2 * time.Millisecond

	// restFactor is how much longer the rest after a slow scan is than the scan,
	// which so takes about 5 % of the time.
	restFactor = 20

	// sweepInterval is how often a busy reader sweeps below its low-water mark.
	sweepInterval = 250 * time.Millisecond

	// commitGrace bounds the wait of the low-water mark for transactions that ran:
	// one may have sent a message with an id below it. A sweep finds later commits.
	commitGrace = 200 * time.Millisecond

	// slowRead is a read from the first id that Read and Pop do not repeat at once.
	slowRead = 50 * time.Millisecond

	// maxNamed is how many messages a scan returns. A scan that returns as many
	// visible ones lowers the low-water mark instead.
	maxNamed = 1000

	// maxKnown is how many messages are remembered until they fall due.
	maxKnown = 10_000

	// firstWidth is the width of a sweep's first step, in ids.
	firstWidth = 10_000

	// jumpWidth is the width of a step, in ids, that also looks for the next id. In
	// so many ids next to nothing was found, so the look is unlikely to meet many
	// that are dead.
	jumpWidth = 1 << 20
)

// Took returns the time that a server says it took, in seconds.
func Took(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// RestAfter returns how long to rest after a scan, so that scans take a small part
// of a reader's time. It is 0 after a cheap one.
func RestAfter(took time.Duration) time.Duration {
	return max(0, min(restFactor*(took-cheap), QuietInterval))
}
