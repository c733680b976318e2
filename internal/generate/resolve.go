package generate

import (
	"cmp"
	"errors"
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// resolve resolves the relations between queues: it adds undeclared queues for dead
// letters, and finds names that collide in Postgres or in Go.
func (r *reader) resolve(d *Declaration) {
	r.deadLetters(d)
	tables, names := map[string]*Queue{}, map[string]*Queue{}
	for _, q := range d.Queues {
		for _, name := range q.tables() {
			if other := tables[name]; other != nil {
				r.fail(q.where(), "queue %q and queue %q in line %d share the table %s; rename one of them",
					q.Name, other.Name, other.where().line, name)
			}
			tables[name] = q
		}
		if q.GoName == "" {
			if q.GoName = goName(q.Name); !exported(q.GoName) {
				r.fail(q.where(), "the name of queue %q does not make a Go name; set one, such as go: Orders", q.Name)
			}
		}
		for _, name := range q.identifiers() {
			if other := names[name]; other != nil && other != q {
				r.fail(q.where(), "queue %q and queue %q in line %d share the Go name %s; set another, such as go: Other%s",
					q.Name, other.Name, other.where().line, name, q.GoName)
			}
			names[name] = q
		}
	}
}

// deadLetters adds the queues for dead letters that are not declared themselves.
func (r *reader) deadLetters(d *Declaration) {
	byName := map[string]*Queue{}
	for _, q := range d.Queues {
		byName[q.key()] = q
	}
	var undeclared []*Queue
	for _, q := range d.Queues {
		if q.DeadLetters == "" {
			continue
		}
		key := strings.ToLower(q.DeadLetters)
		dead := byName[key]
		if dead == nil {
			dead = &Queue{Stored: Stored{Name: q.DeadLetters}, Type: q.Type, at: map[string]position{"": q.at["dead_letters"]}}
			byName[key] = dead
			undeclared = append(undeclared, dead)
		}
		if dead.Type != q.Type && slices.Contains(undeclared, dead) {
			r.fail(q.at["dead_letters"], "the dead letters of queue %q go to %q, which is not declared and already gets messages of type %s; declare it with a type for both, such as encoding/json.RawMessage",
				q.Name, dead.Name, dead.Type)
		}
		dead.DeadOf = append(dead.DeadOf, q.Name)
	}
	d.Queues = append(d.Queues, undeclared...)
}

func (q *Queue) where() position { return q.at[""] }

// tables returns the names of the queue's tables that are known, in lower case.
func (q *Queue) tables() []string {
	all := []string{"q_" + q.key()}
	if q.Partitions != (Partitions{}) {
		all = append(all, "q_"+q.key()+"_default")
	}
	return all
}

// identifiers returns the queue's identifiers in the generated code.
func (q *Queue) identifiers() []string {
	all := []string{"Queues." + q.GoName, "New" + q.GoName}
	if len(q.Send) > 0 {
		all = append(all, q.GoName+"Send")
	}
	if len(q.Consume) > 0 {
		all = append(all, q.GoName+"Consume")
	}
	return all
}

// goName turns orders_dead into OrdersDead.
func goName(queue string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(queue, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		first, size := utf8.DecodeRuneInString(word)
		b.WriteRune(unicode.ToUpper(first))
		b.WriteString(word[size:])
	}
	return b.String()
}

func exported(name string) bool { return token.IsIdentifier(name) && ast.IsExported(name) }

func takeGoName(q *Queue, v string) error {
	if !exported(v) {
		return errors.New("a Go name that begins with a capital, such as " + cmp.Or(goName(q.Name), "Orders"))
	}
	q.GoName = v
	return nil
}
