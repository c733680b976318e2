// Package migrate tests how the schema comes to a database, from PGMQ too, and goes.
package migrate

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestMain(m *testing.M) { check.Main(m) }
