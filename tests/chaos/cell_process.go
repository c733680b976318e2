package main

import (
	"context"
	"syscall"
	"time"
)

// processCells inject faults into the clients.
func processCells() []*cell {
	return []*cell{
		{
			name: "kill", about: "a consumer or a producer is killed with -9 and started again", start: own,
			inject: func(ctx context.Context, a *arena) error {
				all := a.workers()
				return a.again(ctx, 300*time.Millisecond, 1500*time.Millisecond, func() error {
					p := all[a.rand.IntN(len(all))]
					if err := p.kill(); err != nil {
						return err
					}
					return p.start()
				})
			},
		},
		{
			name: "stop", about: "a consumer is stopped for longer than its leases last, and continued", start: own,
			inject: func(ctx context.Context, a *arena) error {
				return a.again(ctx, 200*time.Millisecond, time.Second, func() error {
					p := a.consumers[a.rand.IntN(len(a.consumers))]
					if err := p.signal(syscall.SIGSTOP); err != nil {
						return err
					}
					time.Sleep(a.between(vt, 2*vt))
					return p.signal(syscall.SIGCONT)
				})
			},
		},
		{
			name: "pool", about: "a worker's pool has no connection left", start: own,
			connect: func(_ context.Context, a *arena) error {
				a.conns = 4
				return nil
			},
			inject: func(ctx context.Context, a *arena) error {
				all := a.workers()
				return a.again(ctx, 200*time.Millisecond, time.Second, func() error {
					if err := all[a.rand.IntN(len(all))].signal(hogging); err != nil {
						return err
					}
					time.Sleep(hogsFor)
					return nil
				})
			},
		},
		{name: "clock", about: "the clock of the clients is wrong by minutes, and jumps", start: own, connect: wrongClock, inject: wait},
	}
}

// wait is for a fault that lasts from the start.
func wait(ctx context.Context, a *arena) error {
	<-ctx.Done()
	return a.fault(func() error { return nil })
}
