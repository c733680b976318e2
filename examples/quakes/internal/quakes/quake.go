// Package quakes holds one week of the world's earthquakes and draws them for
// a terminal: a world map, a histogram of magnitudes and the activity over
// time. The pictures are pure functions from quakes to text.
package quakes

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// A string rather than bytes, so that no caller can change it.
//
//go:embed quakes.jsonl
var jsonl string

// Quake is one seismic event as the USGS reports it. The README beside the
// data describes each field.
type Quake struct {
	ID            string  `json:"id"`
	TimeMS        int64   `json:"time_ms"`
	Magnitude     float64 `json:"magnitude"`
	MagnitudeType string  `json:"magnitude_type"`
	Place         string  `json:"place"`
	Longitude     float64 `json:"longitude"`
	Latitude      float64 `json:"latitude"`
	DepthKM       float64 `json:"depth_km"`
	Network       string  `json:"network"`
	Status        string  `json:"status"`
	Type          string  `json:"type"`
	Felt          *int    `json:"felt"` // nil where no reports were gathered, unlike 0
	Tsunami       int     `json:"tsunami"`
	Significance  int     `json:"significance"`
}

// Time is the moment the quake began, in UTC.
func (q Quake) Time() time.Time {
	return time.UnixMilli(q.TimeMS).UTC()
}

// JSONL is the embedded week, one JSON object a line, earliest first.
func JSONL() string {
	return jsonl
}

// Week decodes the embedded week, earliest first.
func Week() ([]Quake, error) {
	return Read(strings.NewReader(jsonl))
}

// Read decodes quakes written one JSON object after the other. On a mistake it
// also returns the quakes that came before it.
func Read(r io.Reader) ([]Quake, error) {
	var quakes []Quake
	dec := json.NewDecoder(r)
	for {
		var q Quake
		err := dec.Decode(&q)
		if errors.Is(err, io.EOF) {
			return quakes, nil
		}
		if err != nil {
			return quakes, fmt.Errorf("quake %d: %w", len(quakes)+1, err)
		}
		quakes = append(quakes, q)
	}
}
