//go:build !unix

package postgres

import (
	"errors"
	"runtime"
	"syscall"
)

func detached(bool) (*syscall.SysProcAttr, error) {
	return nil, errors.New("a private Postgres cannot be started on " + runtime.GOOS + ": pass --database-url")
}
