package check

import (
	"testing"
	"time"
)

// Patience is how long a test waits for what must happen sooner or later.
const Patience = 30 * time.Second

// Eventually waits for a condition.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%v passed, and it is still not so that %s", Patience, what)
		}
	}
}
