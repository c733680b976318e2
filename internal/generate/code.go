package generate

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"go/format"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

const queuePath = "github.com/pgmq-go/pgmq/queue"

//go:embed queues.go.tmpl
var codeText string

var codeTemplate = template.Must(template.New("queues.go").Parse(codeText))

// GoCode returns the text of the declaration's Go file.
func (d *Declaration) GoCode() ([]byte, error) {
	names := importNames(d.Queues)
	var queues []queueInGo
	for _, q := range d.Queues {
		t := q.Type.Name
		if q.Type.Path != "" {
			t = names[q.Type.Path] + "." + t
		}
		queues = append(queues, queueInGo{q, t})
	}
	standard, others := imports(names)
	var text bytes.Buffer
	err := codeTemplate.Execute(&text, map[string]any{
		"File": filepath.Base(d.File), "Package": d.Package, "Standard": standard, "Others": others, "Queues": queues,
	})
	if err != nil {
		return nil, err
	}
	code, err := format.Source(text.Bytes())
	if err != nil {
		return nil, fmt.Errorf("the generated code is not valid Go: %w", err) // a bug
	}
	return code, nil
}

// importNames returns the name of each imported package in the code, by path.
func importNames(queues []*Queue) map[string]string {
	names := map[string]string{queuePath: "queue"}
	taken := map[string]bool{"queue": true, "time": true, "db": true, "q": true, "err": true}
	for _, q := range queues {
		path := q.Type.Path
		if path == "time" || slices.ContainsFunc(slices.Concat(q.Send, q.Consume), isTimed) {
			names["time"] = "time"
		}
		if path == "" || names[path] != "" {
			continue
		}
		is := cmp.Or(q.Type.pkg, "pkg") // pkg is not known after Parse alone
		name := is
		for n := 2; taken[name]; n++ {
			name = is + strconv.Itoa(n)
		}
		names[path], taken[name] = name, true
	}
	return names
}

// isTimed reports whether an option has a duration. An option with quotes has a
// queue's name, which may contain "time.".
func isTimed(option string) bool {
	return strings.Contains(option, "time.") && !strings.Contains(option, `"`)
}

// imports returns the lines that import the packages, as two groups.
func imports(names map[string]string) (standard, others []string) {
	for _, path := range slices.Sorted(maps.Keys(names)) {
		line := strconv.Quote(path)
		if name := names[path]; name != path[strings.LastIndexByte(path, '/')+1:] {
			line = name + " " + line
		}
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") {
			others = append(others, line)
		} else {
			standard = append(standard, line)
		}
	}
	return standard, others
}

// queueInGo is a queue as the template sees it.
type queueInGo struct {
	*Queue
	T string // its type as a Go expression
}

// Quoted returns the name as a Go string literal.
func (q queueInGo) Quoted() string { return strconv.Quote(q.Name) }

// About returns the properties of the queue, as the end of a sentence.
func (q queueInGo) About() string {
	about := ""
	if len(q.DeadOf) > 0 {
		about += ", for the dead letters of " + strings.Join(quoted(q.DeadOf), ", ")
	}
	switch {
	case q.Unlogged:
		about += "; a crash of the server empties it"
	case q.Partitions.Every != "":
		about += fmt.Sprintf("; partitions of %s, kept for %s, by pgmq maintain", q.Partitions.Every, q.Partitions.Keep)
	}
	if len(q.Topics) > 0 {
		about += "; receives messages sent to " + strings.Join(q.Topics, ", ")
	}
	return about
}

func quoted(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = strconv.Quote(name)
	}
	return all
}
