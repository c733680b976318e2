package history

import (
	"time"
)

// Op is the subject of an event.
type Op string

const (
	// Send is a message, or a batch of them: Keys, and IDs if it is OK.
	Send Op = "send"
	// Deliver is one message that a reader got, with its receipt.
	Deliver Op = "deliver"
	// Handled is the end of a handler: OK if it returned nil.
	Handled Op = "handled"
	// Settle is a message that was deleted, archived or made a dead letter.
	Settle Op = "settle"
	// Extend is another VT for a message, longer or shorter: Until, if it is OK.
	Extend Op = "extend"
	// Retry is a message that a consumer gave back after a failure, for VT.
	Retry Op = "retry"
	// Trouble is an error that belongs to no message.
	Trouble Op = "trouble"
	// Pause is a time in which the whole process did not run, or not as it should.
	Pause Op = "pause"
	// Fault is one injected fault, from its beginning to its mending.
	Fault Op = "fault"
	// Loss is a time whose acknowledgements may be lost, as when a standby is
	// promoted that lags behind. Lease and Until are the same by the server's clock;
	// VT is how long the old server went on to acknowledge.
	Loss Op = "loss"
	// Census is one row that is there when all is over.
	Census Op = "census"
	// End is the end of the census: OK if nothing should be left in the queues.
	End Op = "end"
)

// Outcome is how an operation ended for its client.
type Outcome string

const (
	// OK was acknowledged.
	OK Outcome = "ok"
	// Failed had no effect.
	Failed Outcome = "failed"
	// Unknown may have had its effect or not, for there was no answer.
	Unknown Outcome = "unknown"
)

// Ways of getting a message.
const (
	ByConsume = "consume" // a handler of Consume, which keeps the lease
	ByTx      = "tx"      // a handler of ConsumeTx, whose effect is a row of the application
	ByRead    = "read"
	ByGroup   = "group" // a read in the order of groups, settled by id
)

// Uncounted is a Retry that leaves the reads as they were before the delivery.
const Uncounted = "uncounted"

// Places of a census.
const (
	InQueue   = "queue"
	InArchive = "archive"
	InDead    = "dead"   // a dead-letter queue; Queue is the one that the message died in
	AsEffect  = "effect" // the write of a handler of ConsumeTx
	AsOrder   = "order"  // the write in the transaction of a send
)

// Event is one line of a history. Fields that do not apply are zero.
type Event struct {
	Line int `json:"-"` // in the file, from 1

	Op   Op     `json:"op"`
	Proc string `json:"proc"` // the process, one life of it
	// N numbers the operations of a process. An operation that can have an effect
	// is written twice, when it begins and, if that is ever known, when it ended.
	N int64 `json:"n,omitempty"`
	// Begin and End are by the machine's monotonic clock, in nanoseconds. End is 0
	// while it is not known.
	Begin int64     `json:"begin"`
	End   int64     `json:"end,omitempty"`
	Wall  time.Time `json:"wall,omitzero"` // the process's own clock when this was written

	Queue   string  `json:"queue,omitempty"`
	Outcome Outcome `json:"outcome,omitempty"`
	Err     string  `json:"err,omitempty"`

	// The receipt: which delivery of which message. Lease is when the server gave
	// it, by its clock.
	ID    int64     `json:"id,omitempty"`
	Reads int       `json:"reads,omitempty"`
	Lease time.Time `json:"lease,omitzero"`
	// Spread is by how much the lease may have begun before: a consumer's leases are
	// a little longer than its VT.
	Spread time.Duration `json:"spread,omitempty"`
	// Until is when the lease ends, by the server's clock.
	Until time.Time `json:"until,omitzero"`
	// VT is for how long the message was asked to be hidden, in nanoseconds.
	VT time.Duration `json:"vt,omitempty"`
	// Key is in the body of the message, and in no other's.
	Key   string `json:"key,omitempty"`
	Group string `json:"group,omitempty"`
	// How is a way of getting a message, a Place of a census, the outcome of a
	// settlement, or the name of a fault.
	How string `json:"how,omitempty"`
	// Max is how many deliveries the message gets; 0 is any number.
	Max int `json:"max,omitempty"`
	// Read numbers the read that a delivery came with, and Place the message in it.
	Read  int64 `json:"read,omitempty"`
	Place int   `json:"place,omitempty"`
	// Lost is when the handler was told that its lease is lost; 0 for never.
	Lost int64 `json:"lost,omitempty"`

	Keys []string `json:"keys,omitempty"`
	IDs  []int64  `json:"ids,omitempty"`
}

// WithOrder is how a send is done that writes a row in its transaction.
const WithOrder = "with order"

// The outcomes of a settlement.
const (
	Deleted      = "delete"
	Archived     = "archive"
	DeadLettered = "dead letter"
	// DeletedByID asked for no receipt.
	DeletedByID = "delete by id"
)

// never is later than every time of an event.
const never = int64(1) << 62

// ended is when an operation was over, at the latest.
func (e *Event) ended() int64 {
	if e.End == 0 {
		return never
	}
	return e.End
}

// maybe tells whether the operation may have had its effect.
func (e *Event) maybe() bool { return e.Outcome != Failed }
