package check

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// limit is how long one test may take. Everything that a test waits for has a
// shorter limit; this one is for forgotten cases.
const limit = 8 * time.Minute

// slowVar, when it is set, has the tests run that start with Slow or Long, and no
// others: make test-slow.
const slowVar = "PGMQ_TEST_SLOW"

// Parallel starts a test that runs beside others.
func Parallel(t *testing.T) {
	t.Helper()
	skip(t, os.Getenv(slowVar) != "")
	t.Parallel()
	watch(t)
}

// Alone starts a test that does not run beside others of its folder.
func Alone(t *testing.T) {
	t.Helper()
	skip(t, os.Getenv(slowVar) != "")
	watch(t)
}

// Long starts a test that takes long, such as one of many cases. It runs beside
// others, in make test-slow.
func Long(t *testing.T) {
	t.Helper()
	skip(t, os.Getenv(slowVar) == "")
	t.Parallel()
	watch(t)
}

// Slow starts a test that measures how long something takes, that needs minutes, or
// that builds other programs. It runs alone, in make test-slow.
func Slow(t *testing.T) {
	t.Helper()
	skip(t, os.Getenv(slowVar) == "")
	watch(t)
}

func skip(t *testing.T, other bool) {
	t.Helper()
	if other {
		t.Skip("make test and make test-slow share the tests")
	}
}

// watch fails a test that takes too long, and shows the stack of every goroutine.
func watch(t *testing.T) {
	var mu sync.Mutex
	over := false
	timer := time.AfterFunc(limit, func() {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		// A test's log is shown when the test ends, which this one may never do.
		fmt.Fprintf(os.Stderr, "%s takes more than %v:\n%s\n", t.Name(), limit, stacks)
		t.Errorf("it takes more than %v", limit)
	})
	t.Cleanup(func() {
		timer.Stop()
		mu.Lock()
		defer mu.Unlock()
		over = true
	})
}
