// Package admin tests the administration of queues, against a real Postgres.
package admin

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestMain(m *testing.M) { check.Main(m) }
