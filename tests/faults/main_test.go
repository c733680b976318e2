// Package faults tests that nothing is lost when processes, connections and servers die.
package faults

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestMain(m *testing.M) { check.Main(m) }
