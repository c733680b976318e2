// Package consume tests consumers: handlers, leases, settling and waking.
package consume

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestMain(m *testing.M) { check.Main(m) }
