package table

import (
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// rawRows are rows of which each can be scanned. JSON is copied as it came: pgx
// would parse each value for a json.RawMessage, which is most of the client's cost of
// fetching a large message; the server sends valid JSON only. Infinite times are the
// first and the last one of Postgres: a single row with one would make the whole
// statement fail.
type rawRows struct{ pgx.Rows }

func (r rawRows) Scan(dest ...any) error { return r.Rows.Scan(raw(dest)...) }

// rawRow is rawRows for a single row.
type rawRow struct{ row pgx.Row }

func (r rawRow) Scan(dest ...any) error { return r.row.Scan(raw(dest)...) }

// raw replaces the targets of a row's scan within dest: generated code makes them anew
// for each row.
func raw(dest []any) []any {
	for i, to := range dest {
		switch to := to.(type) {
		case *json.RawMessage:
			dest[i] = (*[]byte)(to)
		case *time.Time:
			dest[i] = (*anyTime)(to)
		case **time.Time:
			dest[i] = anyTimeOrNil{to}
		}
	}
	return dest
}

// The first and the last time of Postgres' timestamptz.
var (
	FirstTime = time.Date(-4713, 11, 24, 0, 0, 0, 0, time.UTC)
	LastTime  = time.Date(294276, 12, 31, 23, 59, 59, 999999000, time.UTC)
)

// anyTime is a time that may have been infinite.
type anyTime time.Time

// ScanTimestamptz implements pgtype.TimestamptzScanner.
func (t *anyTime) ScanTimestamptz(v pgtype.Timestamptz) error {
	switch v.InfinityModifier {
	case pgtype.Infinity:
		*t = anyTime(LastTime)
	case pgtype.NegativeInfinity:
		*t = anyTime(FirstTime)
	default:
		*t = anyTime(v.Time)
	}
	return nil
}

// anyTimeOrNil is anyTime where NULL is nil.
type anyTimeOrNil struct{ to **time.Time }

// ScanTimestamptz implements pgtype.TimestamptzScanner.
func (t anyTimeOrNil) ScanTimestamptz(v pgtype.Timestamptz) error {
	*t.to = nil
	if !v.Valid {
		return nil
	}
	at := new(time.Time)
	*t.to = at
	return (*anyTime)(at).ScanTimestamptz(v)
}
