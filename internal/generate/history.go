package generate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pressly/goose/v3"
)

// marker begins a line of a migration with the state of a queue after it.
const marker = "-- pgmq:queue "

// marked is the JSON in such a line.
type marked struct {
	Stored
	Dropped bool `json:"dropped,omitempty"`
}

func markerOf(c Change) string {
	m := marked{Stored: *c.either(), Dropped: c.To == nil}
	if m.Dropped {
		m.Stored = Stored{Name: m.Name}
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // unreachable: only strings, numbers and booleans
	}
	return marker + string(text)
}

// History is the content of a directory of migrations.
type History struct {
	dir   string
	files []file
	// Queues are the queues after all migrations, ordered by name.
	Queues []Stored
}

// file is a migration of goose, also one that this package did not write.
type file struct {
	name    string
	version int64
}

// ReadHistory reads the migrations in a directory. A directory that does not exist
// has none.
func ReadHistory(dir string) (*History, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	h := &History{dir: dir}
	for _, e := range entries {
		version, err := goose.NumericComponent(e.Name())
		if err != nil || strings.HasSuffix(e.Name(), "_test.go") {
			continue // goose ignores it, too
		}
		h.files = append(h.files, file{e.Name(), version})
	}
	slices.SortFunc(h.files, func(a, b file) int { return cmp.Compare(a.version, b.version) })
	queues := map[string]Stored{}
	for _, f := range h.files {
		if err := readMarkers(filepath.Join(dir, f.name), queues); err != nil {
			return nil, err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(queues)) {
		h.Queues = append(h.Queues, queues[key])
	}
	return h, nil
}

// readMarkers applies the markers of a migration to the queues.
func readMarkers(path string, queues map[string]Stored) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		said, is := strings.CutPrefix(line, marker)
		if !is {
			continue
		}
		var m marked
		decoder := json.NewDecoder(strings.NewReader(said))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&m); err != nil {
			return fmt.Errorf("%s:%d: the text after %q was edited, or a newer pgmq wrote it: %w", path, number, strings.TrimSpace(marker), err)
		}
		if m.Dropped {
			delete(queues, m.key())
		} else {
			queues[m.key()] = m.Stored
		}
	}
	return nil
}

// timestamps is the smallest version that is a time of fourteen digits, such as
// 20261124134501.
const timestamps = 10_000_000_000_000

// Next returns the path of the next migration. Its version is the last one plus
// one, or now if the last one is a time.
func (h *History) Next(changes []Change, now time.Time) string {
	what := "queues"
	if len(changes) == 1 {
		what = strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) || unicode.IsDigit(r) {
				return unicode.ToLower(r)
			}
			return '_'
		}, changes[0].either().Name)
	}
	version, width := int64(1), 5
	if len(h.files) > 0 {
		last := h.files[len(h.files)-1]
		version, width = last.version+1, strings.IndexByte(last.name, '_')
		if last.version >= timestamps {
			stamp, err := strconv.ParseInt(now.UTC().Format("20060102150405"), 10, 64)
			if err == nil {
				version = max(version, stamp)
			}
		}
	}
	return filepath.Join(h.dir, fmt.Sprintf("%0*d_pgmq_%s.sql", width, version, what))
}
