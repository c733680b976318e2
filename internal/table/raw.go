package table

import (
	"encoding/json"

	"github.com/jackc/pgx/v5"
)

// rawRows are rows whose JSON is copied as it came. pgx would have each value
// parsed for a json.RawMessage, which is most of what fetching a large message
// costs the client; the server sends no JSON that is not valid.
type rawRows struct{ pgx.Rows }

// Scan replaces what it scans to within dest: generated code makes it anew for
// each row.
func (r rawRows) Scan(dest ...any) error {
	for i, to := range dest {
		if raw, ok := to.(*json.RawMessage); ok {
			dest[i] = (*[]byte)(raw)
		}
	}
	return r.Rows.Scan(dest...)
}
