// Package docs tests that the pages tell what is so, and runs their snippets and examples.
package docs

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestMain(m *testing.M) { check.Main(m) }
