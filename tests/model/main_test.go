package model

import (
	"testing"

	"github.com/pgmq-go/pgmq/tests/internal/check"
)

func TestMain(m *testing.M) { check.Main(m) }
