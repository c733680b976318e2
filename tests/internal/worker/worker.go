// Package worker runs consumers in processes that a test can stop and kill.
package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
)

// workerVar makes a process of this test binary a consumer, which tests can kill;
// its value is a workerSpec. With the binary it has the race detector, too.
const workerVar = "PGMQ_TEST_WORKER"

func init() {
	spec := os.Getenv(workerVar)
	if spec == "" {
		return
	}
	err := work(spec)
	switch {
	case errors.Is(err, queue.ErrGraceExpired):
		os.Exit(ExitStopped)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// ExitStopped is how a worker exits when its Consume returned queue.ErrGraceExpired.
const ExitStopped = 3

// Spec has the settings of a worker. Zero values are the defaults of Consume.
type Spec struct {
	URL, Name string // Name is the application_name; the test makes them up
	Queues    []string
	Consumers int // of each queue; 0 is 1
	Workers   int
	VT, Grace time.Duration
}

// freed is closed at SIGUSR1: then handlers end, as if all that takes time were done.
var freed = make(chan struct{})

// Task is the body of a message for a worker.
type Task struct {
	Takes    time.Duration `json:"takes"`    // how long its handler takes
	Stubborn bool          `json:"stubborn"` // the handler ignores its ctx
}

// Line is one thing that happened in a worker, written as JSON.
type Line struct {
	At        time.Time // by the process's clock
	What      string    // StartLine, EndLine, stoppedLine or a queue.EventKind
	ID        int64
	Reads     int
	VisibleAt time.Time // the end of the lease at delivery, by the server's clock
	Cause     string    // of the end of the handler's ctx: LostCause or StoppedCause
	Err       string
}

// The kinds of a Line, and the causes of the ends of contexts.
const (
	StartLine   = "handler starts"
	EndLine     = "handler ends"
	stoppedLine = "Consume returned"

	LostCause    = "lease lost"
	StoppedCause = "stopped"
)

// work consumes until SIGTERM.
func work(text string) error {
	var spec Spec
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		return err
	}
	go func() {
		free := make(chan os.Signal, 1)
		signal.Notify(free, syscall.SIGUSR1)
		<-free
		close(freed)
	}()
	go func() { // the tests are gone
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	config, err := pgxpool.ParseConfig(spec.URL)
	if err != nil {
		return err
	}
	config.MaxConns = 6
	config.ConnConfig.RuntimeParams["application_name"] = spec.Name
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	var consumers []func(context.Context) error
	for _, name := range spec.Queues {
		q, err := queue.New[Task](pool, name, queue.Observe(writeEvent))
		if err != nil {
			return err
		}
		for range max(spec.Consumers, 1) {
			consumers = append(consumers, func(ctx context.Context) error { return q.Consume(ctx, handleTask, spec.options()...) })
		}
	}
	err = queue.Run(ctx, consumers...)
	writeLine(Line{What: stoppedLine, Err: textOf(err)})
	return err // without closing the pool, which would wait for stubborn handlers
}

func (s Spec) options() []queue.ConsumeOption {
	opts := []queue.ConsumeOption{queue.Workers(s.Workers), queue.ShutdownGrace(s.Grace)}
	if s.VT > 0 {
		opts = append(opts, queue.VT(s.VT))
	}
	return opts
}

func handleTask(ctx context.Context, m *queue.Message[Task]) error {
	writeLine(Line{What: StartLine, ID: m.ID, Reads: m.Reads, VisibleAt: m.VisibleAt})
	takes := time.NewTimer(m.Body.Takes)
	defer takes.Stop()
	interrupted := false
	stop := ctx.Done()
	if m.Body.Stubborn {
		stop = nil
	}
	select {
	case <-takes.C:
	case <-freed:
	case <-stop:
		interrupted = true
	}
	end := Line{What: EndLine, ID: m.ID, Reads: m.Reads}
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, queue.ErrLeaseLost):
		end.Cause = LostCause
	case errors.Is(cause, queue.ErrGraceExpired):
		end.Cause = StoppedCause
	case cause != nil:
		end.Cause = cause.Error()
	}
	writeLine(end)
	if interrupted && end.Cause != LostCause { // one that lost its lease claims success
		return ctx.Err()
	}
	return nil
}

func writeEvent(_ context.Context, e queue.Event) {
	if e.Kind != queue.EventDelivered {
		writeLine(Line{What: string(e.Kind), ID: e.ID, Reads: e.Reads, Err: textOf(e.Err)})
	}
}

var writing sync.Mutex

// writeLine is one system call, so that the line is there after kill -9.
func writeLine(l Line) {
	writing.Lock()
	defer writing.Unlock()
	l.At = time.Now()
	data, _ := json.Marshal(l)
	_, _ = os.Stdout.Write(append(data, '\n'))
}

func textOf(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
