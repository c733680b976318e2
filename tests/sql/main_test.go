// Package sql tests the SQL functions, and the rights of roles to use them.
package sql

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestMain(m *testing.M) { check.Main(m) }
