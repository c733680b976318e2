package generate

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/pgmq-go/pgmq/internal/table"
)

// DefaultPremake is the number of partitions that pgmq.create_partitioned makes
// ahead by default.
const DefaultPremake = 4

var (
	messages = regexp.MustCompile(`^[1-9][0-9]{0,8}$`)
	interval = regexp.MustCompile(`^[1-9][0-9]{0,4} (minute|hour|day|week|month|year)s?$`)
	topic    = regexp.MustCompile(`^[a-zA-Z0-9_*#-]+(\.[a-zA-Z0-9_*#-]+)*$`)
)

// Check returns an error if this cannot be a queue.
func (s Stored) Check() error {
	if err := CheckName(s.Name); err != nil {
		return fmt.Errorf("%q cannot be a queue: %w", s.Name, err)
	}
	if s.Partitions != (Partitions{}) {
		if s.Unlogged {
			return errors.New("a queue with partitions is always logged")
		}
		if err := s.Partitions.Check(); err != nil {
			return err
		}
	}
	for _, topic := range s.Topics {
		if err := CheckTopic(topic); err != nil {
			return fmt.Errorf("a topic is %q; it must be %w", topic, err)
		}
	}
	return nil
}

// Check returns an error if these cannot be the partitions of a queue.
func (p Partitions) Check() error {
	byTime := interval.MatchString(p.Every) && interval.MatchString(p.Keep)
	byID := messages.MatchString(p.Every) && messages.MatchString(p.Keep)
	if !byTime && !byID {
		return fmt.Errorf("partitions have every %q and keep %q; both must be times, such as 1 day and 30 days, or both numbers of messages, such as 10000 and 100000", p.Every, p.Keep)
	}
	if p.Premake < 1 {
		return fmt.Errorf("partitions have premake %d; it must be 1 or more", p.Premake)
	}
	return nil
}

// CheckName returns an error if a queue with this name cannot be declared.
func CheckName(name string) error {
	if err := table.CheckName(name); err != nil {
		return err
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return errors.New("it contains a character that is not printable")
	}
	return nil
}

// CheckTopic returns an error if this is not a pattern for topics. The error
// completes the sentence "it must be". The rules are those of
// pgmq.validate_topic_pattern.
func CheckTopic(pattern string) error {
	fits := topic.MatchString(pattern) && len(pattern) <= 255
	for _, wild := range []string{"**", "##", "*#", "#*"} {
		fits = fits && !strings.Contains(pattern, wild)
	}
	if !fits {
		return errors.New("up to 255 letters, digits, -, _ and dots, with * and # apart from each other, such as orders.*.eu")
	}
	return nil
}

// ParseNotify returns the interval of notifications in the form of [Stored]. Its
// error completes the sentence "it must be".
func ParseNotify(v string) (string, error) {
	d, err := time.ParseDuration(v)
	if err != nil || d < 0 || d%time.Millisecond != 0 || d > time.Hour {
		return "", errors.New("a duration in whole milliseconds, up to an hour, such as 250ms")
	}
	return d.String(), nil
}

func flag(v string) (bool, error) {
	if v != "true" && v != "false" {
		return false, errors.New("true or false")
	}
	return v == "true", nil
}

func atLeast(least int, v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil || n < least || n > 1e6 {
		return 0, fmt.Errorf("a number, %d to 1000000", least)
	}
	return n, nil
}

// count returns a function that parses a number of at least least and returns it as
// Go.
func count(least int) func(string) (string, error) {
	return func(v string) (string, error) {
		n, err := atLeast(least, v)
		return strconv.Itoa(n), err
	}
}

// duration returns a function that parses a duration of at least least and returns
// it as Go.
func duration(least time.Duration) func(string) (string, error) {
	return func(v string) (string, error) {
		d, err := time.ParseDuration(v)
		if err != nil || d < least {
			return "", fmt.Errorf("a duration of at least %v, such as 30s, 5m or 1h30m", least)
		}
		return goDuration(d), nil
	}
}

// goDuration returns a duration as a Go expression: 90 * time.Second.
func goDuration(d time.Duration) string {
	for _, unit := range []struct {
		is   time.Duration
		name string
	}{
		{time.Hour, "time.Hour"},
		{time.Minute, "time.Minute"},
		{time.Second, "time.Second"},
		{time.Millisecond, "time.Millisecond"},
		{time.Microsecond, "time.Microsecond"},
		{time.Nanosecond, "time.Nanosecond"},
	} {
		if d == unit.is {
			return unit.name
		}
		if d%unit.is == 0 {
			return fmt.Sprintf("%d * %s", d/unit.is, unit.name)
		}
	}
	return "0"
}
