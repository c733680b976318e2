// Command slowest runs go test in some modules, prints the output of go test, and
// then the tests that took longest:
//
//	go run ./internal/slowest -in . -in .. -- -race ./...
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// most is how many tests are listed.
const most = 10

func main() {
	var modules []string
	flag.Func("in", "run the tests of the module in this `directory`; may be repeated", func(dir string) error {
		modules = append(modules, dir)
		return nil
	})
	flag.Parse()
	r := run{out: os.Stdout, took: map[test]float64{}}
	failed := false
	for _, module := range modules {
		if err := r.module(module, flag.Args()); err != nil {
			fmt.Fprintf(os.Stderr, "go test in %s: %v\n", module, err)
			failed = true
		}
	}
	r.slowest()
	if failed || len(modules) == 0 {
		fmt.Println("FAIL")
		os.Exit(1)
	}
}

// event is a line of go test -json.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// test is one with all its subtests.
type test struct{ pkg, name string }

// run has the results so far.
type run struct {
	out    io.Writer
	took   map[test]float64  // seconds
	output map[test][]string // of tests that have not ended
}

// module runs the tests of one module.
func (r *run) module(dir string, args []string) error {
	cmd := exec.Command("go", append([]string{"test", "-C", dir, "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	r.output = map[test][]string{}
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 0 {
			r.line(line)
		}
		if err != nil {
			break
		}
	}
	return cmd.Wait()
}

func (r *run) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		_, _ = r.out.Write(line) // not of a test
		return
	}
	key := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "pass", "skip", "fail":
		r.ended(e, key)
	}
}

// ended prints the output of failed tests, as go test does without -v, and the
// line with which a package ends.
func (r *run) ended(e event, key test) {
	output := r.output[key]
	delete(r.output, key)
	if e.Test != "" {
		top, _, _ := strings.Cut(e.Test, "/")
		whole := test{e.Package, top}
		r.took[whole] = max(r.took[whole], e.Elapsed)
	}
	switch {
	case e.Action == "fail" && e.Test == "":
		// A test that was cut off, by a panic or the time limit, has no end.
		for cut, lines := range r.output {
			if cut.pkg == e.Package {
				r.print(lines)
				delete(r.output, cut)
			}
		}
		r.print(output)
	case e.Action == "fail":
		r.print(output)
	case e.Test == "":
		for _, line := range output {
			if strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") || strings.HasPrefix(line, "\t") {
				fmt.Fprint(r.out, line)
			}
		}
	}
}

func (r *run) print(lines []string) {
	for _, line := range lines {
		if !strings.HasPrefix(line, "=== ") && line != "PASS\n" {
			fmt.Fprint(r.out, line)
		}
	}
}

// slowest lists the tests that took longest.
func (r *run) slowest() {
	var all []test
	for one := range r.took {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b test) int { return cmp.Or(cmp.Compare(r.took[b], r.took[a]), cmp.Compare(a.name, b.name)) })
	fmt.Fprintf(r.out, "\nthe slowest of %d tests:\n", len(all))
	for _, one := range all[:min(most, len(all))] {
		fmt.Fprintf(r.out, "%7.1f s  %s  %s\n", r.took[one], one.name, one.pkg)
	}
}
