package engine

import "time"

// Options are those of a consumer; package queue checks them and has the other defaults.
type Options struct {
	Workers        int // 0: defaultWorkers, or fewer if the pool has no room for them
	Prefetch       int // messages fetched before a worker is free
	VT             time.Duration
	MaxLease       time.Duration
	Grace          time.Duration
	HandlerTimeout time.Duration // 0 for none
	Backoff        func(reads int) time.Duration
	MaxReads       int         // 0 for no limit
	DeadLetterTo   string      // "" for the archive
	Done           Disposition // Delete or Archive
	BatchSize      int         // messages of one call of a handler
	BatchWait      time.Duration
	PollInterval   time.Duration
	Tx             bool // handlers run by InTx
}
