// Package docs tests that the pages are correct, and runs their snippets and examples.
package docs

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestMain(m *testing.M) { check.Main(m) }
