//go:build !unix

package postgres

import (
	"errors"
	"runtime"
	"syscall"
)

// freeze only lets the package compile: no server can be started here.
const freeze = syscall.SIGKILL

func detached(bool) (*syscall.SysProcAttr, error) {
	return nil, errors.New("a private Postgres cannot be started on " + runtime.GOOS + ": pass --database-url")
}
