package check

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"

	"github.com/pgmq-go/pgmq/internal/postgres"
)

// Sizes of Postgres' WAL, and places in its files. They are the same from 13 to 18.
const (
	walSegment    = 16 << 20
	walPage       = 8 << 10
	pageHeader    = 24 // of all pages but the first of a segment
	recordHeader  = 24
	recordCRC     = 20 // in a record's header
	checkpointAt  = 32 // in pg_control: where the last checkpoint's record is
	timelineAt    = 48
	epochInRecord = recordHeader + 2 + 24 + 4 // the upper half of the next transaction id
)

// NextEpoch restarts a server as if 2^32 transactions had passed. It does what
// "pg_resetwal -e 1" does, which not every set of binaries has: it changes the record
// of the checkpoint that the server wrote when it was shut down.
func NextEpoch(t testing.TB, s *postgres.Server) {
	t.Helper()
	OK(t, s.Change(t.Context(), func(data string) error {
		control, err := os.ReadFile(filepath.Join(data, "global", "pg_control"))
		if err != nil {
			return err
		}
		at := binary.LittleEndian.Uint64(control[checkpointAt:])
		timeline := binary.LittleEndian.Uint32(control[timelineAt:])
		name := fmt.Sprintf("%08X%08X%08X", timeline, at>>32, uint32(at)/walSegment)
		file, err := os.OpenFile(filepath.Join(data, "pg_wal", name), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer file.Close()
		return changeRecord(file, int64(at%walSegment), func(record []byte) {
			binary.LittleEndian.PutUint32(record[epochInRecord:], 1)
		})
	}))
}

// changeRecord changes a record of the WAL, which may go on in the next page.
func changeRecord(file *os.File, at int64, change func([]byte)) error {
	page := make([]byte, 2*walPage)
	first := at / walPage * walPage
	if _, err := file.ReadAt(page, first); err != nil {
		return err
	}
	var places []int
	for place := int(at - first); len(places) < 4; place++ {
		places = append(places, place) // the length is never split
	}
	length := int(binary.LittleEndian.Uint32(page[at-first:]))
	for place := places[3] + 1; len(places) < length; place++ {
		if place == walPage {
			place += pageHeader
		}
		places = append(places, place)
	}
	record := make([]byte, length)
	for i, place := range places {
		record[i] = page[place]
	}
	castagnoli := crc32.MakeTable(crc32.Castagnoli)
	sum := func() uint32 {
		return crc32.Update(crc32.Checksum(record[recordHeader:], castagnoli), castagnoli, record[:recordCRC])
	}
	if have := binary.LittleEndian.Uint32(record[recordCRC:]); have != sum() {
		return fmt.Errorf("there is no record at %X", at)
	}
	change(record)
	binary.LittleEndian.PutUint32(record[recordCRC:], sum())
	for i, place := range places {
		page[place] = record[i]
	}
	_, err := file.WriteAt(page, first)
	return err
}
