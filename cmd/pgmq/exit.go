package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/queue"
)

// Exit codes, for scripts.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitPartly      = 3
	exitProblems    = 4   // what pgmq doctor looked at is not well
	exitInterrupted = 130 // as a shell reports ctrl-C
	exitPipe        = 141 // as a shell reports SIGPIPE
)

// ending ends a command that did what it could with an exit code of its own, and
// says why.
type ending struct {
	code int
	text string
}

func (e ending) Error() string { return e.text }

// partly is the end of what found nothing, or was done in part.
func partly(format string, args ...any) error {
	return ending{exitPartly, fmt.Sprintf(format, args...)}
}

// verdict returns what there is to say about the end of a command, "" for
// nothing, and its exit code.
func verdict(ctx context.Context, err error) (string, int) {
	var end ending
	var output *fs.PathError // of the server it would be a *net.OpError
	switch {
	case err == nil:
		return "", exitOK
	case errors.As(err, &output) && errors.Is(output, syscall.EPIPE):
		return "", exitPipe // whoever read the output had enough
	case errors.As(err, &end):
		return end.text, end.code
	case ctx.Err() != nil:
		return "interrupted", exitInterrupted
	case errors.As(err, new(usageError)), errors.Is(err, queue.ErrOption):
		return err.Error(), exitUsage
	}
	return plain(err), exitFailure
}

// early is the end by err of what was done in part.
func early(ctx context.Context, err error, done string) error {
	text, code := verdict(ctx, err)
	if code == exitPipe {
		text = "nobody reads the output any more"
	}
	return ending{code, text + "; " + done}
}

// plain says in our words what a server refuses often.
func plain(err error) string {
	text := err.Error()
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return text
	}
	before, last := strings.CutSuffix(text, pg.Error())
	switch {
	case !last:
	case errors.Is(err, queue.ErrNoQueue), errors.Is(err, queue.ErrNoSchema):
		return strings.TrimSuffix(before, ": ")
	case pg.Code == "42501":
		return before + pg.Message + ": this role lacks a grant; docs/roles.md tells which there are"
	case pg.Code == "25006":
		return before + pg.Message + ": this is a standby, or a role or session that may only read"
	}
	return text
}

// finishing returns a context that outlives ctx by some seconds: what is under
// way when ctrl-C comes is better done than in doubt.
func finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	const grace = 10 * time.Second
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}

// afterCtrlC returns a context for making sure or cleaning up, whether ctx has
// ended or not.
func afterCtrlC(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}

// leaving is the end by err, which may be nil, of what could not clean up behind
// itself.
func leaving(ctx context.Context, err, left error) error {
	switch {
	case left == nil:
		return err
	case err == nil:
		return left
	}
	text, code := verdict(ctx, err)
	return ending{code, text + "; " + plain(left)}
}
