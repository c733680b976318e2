package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pgmq-go/pgmq/internal/option"
	"github.com/pgmq-go/pgmq/internal/pgerr"
)

// Exit codes, for scripts.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitPartly      = 3
	exitProblems    = 4   // pgmq doctor found problems
	exitInterrupted = 130 // as a shell reports ctrl-C
	exitPipe        = 141 // as a shell reports SIGPIPE
)

// exitError ends a command with a code and a text that are not those of a failure.
type exitError struct {
	code int
	text string
}

func (e exitError) Error() string { return e.text }

// partly is the error of a command that found nothing, or was done in part.
func partly(format string, args ...any) error {
	return exitError{exitPartly, fmt.Sprintf(format, args...)}
}

// outcome returns the text for the end of a command, "" for none, and its exit
// code.
func outcome(ctx context.Context, err error) (string, int) {
	var end exitError
	var output *fs.PathError // of the server it would be a *net.OpError
	switch {
	case err == nil:
		return "", exitOK
	case errors.As(err, &output) && errors.Is(output, syscall.EPIPE):
		return "", exitPipe // the reader of the output has gone
	case errors.As(err, &end):
		return end.text, end.code
	case ctx.Err() != nil:
		return "interrupted", exitInterrupted
	case errors.As(err, new(usageError)), errors.Is(err, option.ErrInvalid):
		return err.Error(), exitUsage
	}
	return explain(err), exitFailure
}

// stoppedEarly adds to err how much was done before it.
func stoppedEarly(ctx context.Context, err error, done string) error {
	text, code := outcome(ctx, err)
	if code == exitPipe {
		text = "nobody reads the output any more"
	}
	return exitError{code, text + "; " + done}
}

// andLeftBehind adds to err, which may be nil, the error left of cleaning up, which is nil
// if that succeeded.
func andLeftBehind(ctx context.Context, err, left error) error {
	switch {
	case left == nil:
		return err
	case err == nil:
		return left
	}
	text, code := outcome(ctx, err)
	return exitError{code, text + "; " + explain(left)}
}

// explain returns the text of an error, with advice for refusals that are frequent.
func explain(err error) string {
	text := err.Error()
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return text
	}
	before, last := strings.CutSuffix(text, pg.Error())
	switch {
	case !last:
	case errors.Is(err, pgerr.ErrNoQueue), errors.Is(err, pgerr.ErrNoSchema):
		return strings.TrimSuffix(before, ": ")
	case pg.Code == "42501":
		return before + pg.Message + ": this role lacks a grant; docs/roles.md lists the grants"
	case pg.Code == "25006":
		return before + pg.Message + ": this is a standby, or a role or session that may only read"
	}
	return text
}
