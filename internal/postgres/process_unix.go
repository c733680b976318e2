//go:build unix

package postgres

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// freeze is the signal that suspends a process.
const freeze = syscall.SIGSTOP

// detached returns the attributes of a process in a new session, which ctrl-C on our
// terminal does not reach. If unprivileged is true and we are root, the process runs
// as user postgres or nobody, without further groups.
func detached(unprivileged bool) (*syscall.SysProcAttr, error) {
	attr := &syscall.SysProcAttr{Setsid: true}
	if !unprivileged || os.Geteuid() != 0 {
		return attr, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		// On macOS the id of nobody is -2.
		uid, uidErr := strconv.ParseInt(u.Uid, 10, 64)
		gid, gidErr := strconv.ParseInt(u.Gid, 10, 64)
		if uidErr == nil && gidErr == nil && uid != 0 {
			attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
			return attr, nil
		}
	}
	return nil, errors.New("root may not run Postgres, and there is no user postgres or nobody to run it")
}
