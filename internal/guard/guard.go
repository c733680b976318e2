// Package guard calls functions of the user's, which may panic.
package guard

import (
	"errors"
	"fmt"
	"runtime/debug"
)

// ErrNoReturn is the error of a function that ended its goroutine.
var ErrNoReturn = errors.New("it did not return: runtime.Goexit, as t.FailNow calls it")

// Panic is the error of a function that panicked.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

// Call calls f and turns its panic into a *Panic. The methods of the error that f
// returns are the user's as well, so Call tries them.
func Call(f func() error) (err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &Panic{Value: value, Stack: debug.Stack()}
		}
	}()
	err = f()
	if err != nil {
		try(err)
	}
	return err
}

// Apart is Call in a goroutine of its own. When f ends that, the error is
// ErrNoReturn, and the caller's goroutine goes on.
func Apart(f func() error) error {
	err := ErrNoReturn
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err = Call(f)
	}()
	<-ended
	return err
}

// try panics if a method of err does, as those of a nil pointer in an error may.
func try(err error) {
	_ = err.Error()
	_ = errors.Is(err, errNone)
	_, _ = errors.AsType[*none](err)
	if s, ok := errors.AsType[interface {
		error
		StackTrace() []byte
	}](err); ok {
		_ = s.StackTrace()
	}
}

// none is an error that no other error matches or wraps.
type none struct{}

func (*none) Error() string { return "" }

var errNone error = &none{}
