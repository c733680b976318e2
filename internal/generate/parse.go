package generate

import (
	"cmp"
	"errors"
	"fmt"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Load reads a declaration and checks it, including the Go types that it names. The
// error for an invalid one has a line for each [Problem].
func Load(file string) (*Declaration, error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s; pgmq generate --init writes a first one", file)
	}
	if err != nil {
		return nil, err
	}
	d, err := Parse(file, text)
	if err != nil {
		return nil, err
	}
	return d, d.findTypes()
}

// Parse is Load without the check of Go types, for a text that was read from file.
func Parse(file string, text []byte) (*Declaration, error) {
	r := &reader{file: file}
	d := r.declaration(text)
	if len(r.problems) == 0 {
		r.resolve(d)
	}
	return d, r.err()
}

// reader turns the tree of a YAML file into a declaration.
type reader struct {
	file     string
	problems []Problem
}

func (r *reader) fail(at position, format string, args ...any) {
	r.problems = append(r.problems, Problem{r.file, at, fmt.Sprintf(format, args...)})
}

// err returns the problems, ordered by line. It returns only the first of those in
// one place, as it causes the others.
func (r *reader) err() error {
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(a.at.line-b.at.line, a.at.column-b.at.column)
	})
	var all []error
	for i, problem := range r.problems {
		if i == 0 || problem.at != r.problems[i-1].at {
			all = append(all, problem)
		}
	}
	return errors.Join(all...)
}

func at(n *yaml.Node) position { return position{n.Line, n.Column} }

// kinds describe the kinds of nodes in words.
var kinds = map[yaml.Kind]string{
	yaml.MappingNode: "a mapping, key: value", yaml.SequenceNode: "a list", yaml.ScalarNode: "a single value", yaml.AliasNode: "an alias",
}

// is reports whether a node is of a kind, and adds a problem if not. It does not
// resolve aliases: a declaration should be readable from top to bottom.
func (r *reader) is(kind yaml.Kind, what string, n *yaml.Node) bool {
	if n.Kind != kind || n.Tag == "!!null" {
		is := kinds[n.Kind]
		if n.Tag == "!!null" {
			is = "empty"
		}
		r.fail(at(n), "%s is %s; it must be %s", what, is, kinds[kind])
		return false
	}
	return true
}

// entry is one key of a mapping and its value.
type entry struct{ key, value *yaml.Node }

// entries returns the entries of a mapping in order, each key once.
func (r *reader) entries(what string, n *yaml.Node) []entry {
	if !r.is(yaml.MappingNode, what, n) {
		return nil
	}
	var all []entry
	seen := map[string]int{}
	for pair := range slices.Chunk(n.Content, 2) {
		key := pair[0]
		if !r.is(yaml.ScalarNode, "a key of "+what, key) {
			continue
		}
		if line, twice := seen[key.Value]; twice {
			r.fail(at(key), "%q is repeated; the first one is in line %d", key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		all = append(all, entry{key, pair[1]})
	}
	return all
}

// fields returns the values of a mapping by key. Keys other than those given are
// problems.
func (r *reader) fields(what string, n *yaml.Node, keys ...string) map[string]*yaml.Node {
	values := map[string]*yaml.Node{}
	for _, e := range r.entries(what, n) {
		if !slices.Contains(keys, e.key.Value) {
			r.fail(at(e.key), "%s has no %q; it has %s", what, e.key.Value, strings.Join(keys, ", "))
			continue
		}
		values[e.key.Value] = e.value
	}
	return values
}

func (r *reader) declaration(text []byte) *Declaration {
	var root yaml.Node
	if err := yaml.Load(text, &root); err != nil {
		r.syntax(err)
		return nil
	}
	if root.Kind != yaml.DocumentNode || len(root.Content) != 1 {
		r.fail(position{}, "nothing is declared; a declaration must have queues")
		return nil
	}
	top := root.Content[0]
	fields := r.fields("a declaration", top, "code", "package", "migrations", "queues")
	d := &Declaration{
		File:       r.file,
		Code:       r.path("code", fields["code"], "queues/queues.go"),
		Migrations: r.path("migrations", fields["migrations"], "migrations"),
	}
	if n := fields["code"]; n != nil && !strings.HasSuffix(d.Code, ".go") {
		r.fail(at(n), "code is %q; it must be a Go file, such as queues/queues.go", n.Value)
	}
	d.Package = packageOf(d.Code)
	if n := fields["package"]; n != nil && r.is(yaml.ScalarNode, "package", n) {
		d.Package = n.Value
	}
	if !token.IsIdentifier(d.Package) || d.Package == "_" {
		r.fail(at(cmp.Or(fields["package"], fields["code"], top)), "%q is not a valid name for a Go package; set one, such as package: queues", d.Package)
	}
	if fields["queues"] == nil {
		r.fail(at(top), "nothing is declared; a declaration must have queues")
		return d
	}
	for _, e := range r.entries("queues", fields["queues"]) {
		d.Queues = append(d.Queues, r.queue(e))
	}
	return d
}

// path returns the value of a key, or the standard one. Relative paths are relative
// to the directory of the declaration.
func (r *reader) path(key string, n *yaml.Node, standard string) string {
	path := standard
	if n != nil && r.is(yaml.ScalarNode, key, n) {
		path = n.Value
	}
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(r.file), path)
}

// packageOf returns the package of a Go file, which is the name of its directory.
func packageOf(file string) string {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return ""
	}
	return filepath.Base(dir)
}

// syntax adds the problem of a text that is not valid YAML.
func (r *reader) syntax(err error) {
	var one *yaml.LoadError
	if !errors.As(err, &one) {
		r.fail(position{}, "%v", err)
		return
	}
	r.fail(position{one.Mark.Line, one.Mark.Column}, "%s", strings.TrimPrefix(one.Message, "yaml: "))
}
