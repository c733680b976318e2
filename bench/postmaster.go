package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// postmaster is the main process of a server on this machine, the parent of all its
// others. Their CPU time is read from Linux' /proc.
type postmaster struct {
	pid int
}

// findPostmaster returns nil when the server is not on this machine, or /proc does
// not show its processes.
func findPostmaster(ctx context.Context, conn *pgx.Conn) *postmaster {
	var directory string
	var backend int
	if err := conn.QueryRow(ctx, `SELECT current_setting('data_directory'), pg_backend_pid()`).Scan(&directory, &backend); err != nil {
		return nil
	}
	file, err := os.ReadFile(filepath.Join(directory, "postmaster.pid"))
	if err != nil {
		return nil
	}
	first, _, _ := strings.Cut(string(file), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return nil
	}
	// The server may be on another machine, where the same path and pid exist too.
	stat, err := readStat(backend)
	if err != nil || stat.parent != pid {
		return nil
	}
	return &postmaster{pid}
}

// cpu returns the CPU time of all processes of the server so far. A process that has
// ended is included once the postmaster has collected its exit status.
func (p *postmaster) cpu() (time.Duration, error) {
	for {
		before, err := readStat(p.pid)
		if err != nil {
			return 0, err
		}
		live, err := p.live()
		if err != nil {
			return 0, err
		}
		after, err := readStat(p.pid)
		if err != nil {
			return 0, err
		}
		// A process that ended meanwhile may be in both sums, or in neither.
		if before.ended == after.ended {
			return running(p.pid, after) + after.ended + live, nil
		}
	}
}

// live returns the CPU time of the server's running processes.
func (p *postmaster) live() (sum time.Duration, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if stat, err := readStat(pid); err == nil && stat.parent == p.pid {
			sum += running(pid, stat) + stat.ended
		}
	}
	return sum, nil
}

// running returns the CPU time of one process: to the nanosecond if the kernel counts
// that, or else in ticks.
func running(pid int, stat procStat) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return stat.own
	}
	first, _, _ := strings.Cut(string(text), " ")
	nanoseconds, err := strconv.ParseInt(first, 10, 64)
	if err != nil {
		return stat.own
	}
	return time.Duration(nanoseconds)
}

// procStat is a part of /proc/PID/stat.
type procStat struct {
	parent     int           // pid
	own, ended time.Duration // user and system time: of the process, and of its children that have ended
}

// tick is the unit of time in /proc: 1/100 s on every Linux that Go runs on.
const tick = 10 * time.Millisecond

func readStat(pid int) (procStat, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	// The second field is the command in parentheses, which may contain any character.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 15 {
		return procStat{}, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var numbers [15]int64
	for _, i := range []int{1, 11, 12, 13, 14} {
		if numbers[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return procStat{}, err
		}
	}
	return procStat{
		parent: int(numbers[1]),
		own:    time.Duration(numbers[11]+numbers[12]) * tick,
		ended:  time.Duration(numbers[13]+numbers[14]) * tick,
	}, nil
}
