package generate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// setting is a key of a queue with a single value. The error of take completes the
// sentence "it must be".
type setting struct {
	key  string
	take func(q *Queue, value string) error
}

// settings are in the order of the options in the Go code.
var settings = []setting{
	{"type", takeType},
	{"go", takeGoName},
	{"storage", takeStorage},
	{"notify", func(q *Queue, v string) (err error) { q.Notify, err = ParseNotify(v); return }},
	{"delay", func(q *Queue, v string) error { return add(&q.Send, "queue.Delay", duration(1), v) }},
	{"vt", consume("queue.VT", duration(100*time.Millisecond))},
	{"workers", consume("queue.Workers", count(1))},
	{"prefetch", takePrefetch},
	{"max_reads", consume("queue.MaxReads", count(1))},
	{"max_lease", consume("queue.MaxLease", duration(1))},
	{"shutdown_grace", consume("queue.ShutdownGrace", duration(1))},
	{"dead_letters", takeDeadLetters},
	{"archive_done", takeArchiveDone},
}

// keysOfQueue are the settings and the two keys with several values.
var keysOfQueue = func() []string {
	var keys []string
	for _, s := range settings {
		keys = append(keys, s.key)
	}
	return append(keys, "partitions", "topics")
}()

// queue reads one queue of the declaration.
func (r *reader) queue(e entry) *Queue {
	q := &Queue{Stored: Stored{Name: e.key.Value}, at: map[string]position{"": at(e.key)}}
	if err := CheckName(q.Name); err != nil {
		r.fail(at(e.key), "%q cannot be a queue: %v", q.Name, err)
	}
	values := r.fields("a queue", e.value, keysOfQueue...)
	for key, n := range values {
		q.at[key] = at(n)
	}
	for _, s := range settings {
		n := values[s.key]
		if n == nil || !r.is(yaml.ScalarNode, s.key, n) {
			continue
		}
		if err := s.take(q, n.Value); err != nil {
			r.fail(at(n), "%s is %q; it must be %v", s.key, n.Value, err)
		}
	}
	if n := values["topics"]; n != nil {
		q.Topics = r.topics(n)
	}
	if n := values["partitions"]; n != nil {
		q.Partitions = r.partitions(n)
		if q.Unlogged {
			r.fail(q.at["storage"], "a queue with partitions is always logged; leave out one of storage and partitions")
		}
	}
	if e.value.Kind == yaml.MappingNode && values["type"] == nil {
		r.fail(at(e.key), "queue %q has no type; set the Go type of its messages, such as %s", q.Name, typeExample)
	}
	return q
}

func (r *reader) topics(n *yaml.Node) []string {
	if !r.is(yaml.SequenceNode, "topics", n) {
		return nil
	}
	var topics []string
	for _, item := range n.Content {
		if !r.is(yaml.ScalarNode, "a topic", item) {
			continue
		}
		if err := CheckTopic(item.Value); err != nil {
			r.fail(at(item), "a topic is %q; it must be %v", item.Value, err)
		}
		topics = append(topics, item.Value)
	}
	slices.Sort(topics)
	return slices.Compact(topics)
}

func (r *reader) partitions(n *yaml.Node) Partitions {
	parts := Partitions{Premake: DefaultPremake}
	fields := r.fields("partitions", n, "every", "keep", "premake", "drop_unread")
	for key, take := range map[string]func(v string) error{
		"every": func(v string) error { parts.Every = v; return nil },
		"keep":  func(v string) error { parts.Keep = v; return nil },
		"premake": func(v string) error {
			n, err := atLeast(1, v)
			parts.Premake = max(n, 1)
			return err
		},
		"drop_unread": func(v string) (err error) { parts.DropUnread, err = flag(v); return },
	} {
		value := fields[key]
		if value == nil || !r.is(yaml.ScalarNode, key, value) {
			continue
		}
		if err := take(value.Value); err != nil {
			r.fail(at(value), "%s is %q; it must be %v", key, value.Value, err)
		}
	}
	if n.Kind == yaml.MappingNode {
		if err := parts.Check(); err != nil {
			r.fail(at(n), "%v", err)
		}
	}
	return parts
}

func takeStorage(q *Queue, v string) error {
	if v != "logged" && v != "unlogged" {
		return errors.New("logged or unlogged")
	}
	q.Unlogged = v == "unlogged"
	return nil
}

func takeDeadLetters(q *Queue, v string) error {
	if err := CheckName(v); err != nil {
		return fmt.Errorf("the name of a queue: %w", err)
	}
	if strings.EqualFold(v, q.Name) {
		return fmt.Errorf("another queue, such as %s_dead", q.Name)
	}
	q.DeadLetters = v
	q.Consume = append(q.Consume, fmt.Sprintf("queue.DeadLetterTo(%q)", v))
	return nil
}

// takePrefetch takes 0 for none, which Go's zero value is not.
func takePrefetch(q *Queue, v string) error {
	if v == "0" {
		q.Consume = append(q.Consume, "queue.NoPrefetch")
		return nil
	}
	return add(&q.Consume, "queue.Prefetch", count(0), v)
}

func takeArchiveDone(q *Queue, v string) error {
	archive, err := flag(v)
	if archive {
		q.Consume = append(q.Consume, "queue.ArchiveDone{}")
	}
	return err
}

// consume returns the take of a setting that becomes an option of consumers.
func consume(name string, asGo func(string) (string, error)) func(*Queue, string) error {
	return func(q *Queue, v string) error { return add(&q.Consume, name, asGo, v) }
}

func add(to *[]string, name string, asGo func(string) (string, error), value string) error {
	arg, err := asGo(value)
	if err == nil {
		*to = append(*to, name+"("+arg+")")
	}
	return err
}
