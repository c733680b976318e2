// Package settings runs every operation under settings that a role, a database or a
// driver may have: a list of operations times a list of settings.
package settings

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestMain(m *testing.M) { check.Main(m) }
