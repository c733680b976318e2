package load

import (
	"os"
	"testing"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/tests/dockerpg"
)

func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, dockerpg.Start))
}
