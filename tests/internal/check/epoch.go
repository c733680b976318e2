package check

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/pgmq-go/pgmq/internal/postgres"
)

// epochInControl is where pg_control has the upper half of the next transaction's id,
// in Postgres 13 to 18.
const epochInControl = 68

// NextEpoch restarts a server as if 2^32 transactions had passed. It does the same as
// "pg_resetwal -e 1", which not every set of binaries has.
func NextEpoch(t testing.TB, s *postgres.Server) {
	t.Helper()
	OK(t, s.Change(t.Context(), func(data string) error {
		path := filepath.Join(data, "global", "pg_control")
		control, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		// Behind the fields, whose number is the version's, is their checksum.
		castagnoli := crc32.MakeTable(crc32.Castagnoli)
		end := epochInControl
		for binary.LittleEndian.Uint32(control[end:]) != crc32.Checksum(control[:end], castagnoli) {
			if end += 4; end > 512 {
				return errors.New("pg_control has no checksum")
			}
		}
		binary.LittleEndian.PutUint32(control[epochInControl:], 1)
		binary.LittleEndian.PutUint32(control[end:], crc32.Checksum(control[:end], castagnoli))
		file, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = file.Write(control)
		return errors.Join(err, file.Close())
	}))
}
