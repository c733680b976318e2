// Package api tests the calls of the Go API, one by one, against a real Postgres.
package api

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestMain(m *testing.M) { check.Main(m) }
