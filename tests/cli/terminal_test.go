package cli

import (
	"fmt"
	osexec "os/exec"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/pgmq-go/pgmq/internal/pgtest"
	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// onTerminal runs a command at a terminal of 80 columns that types an answer, and
// returns the text on the terminal.
func onTerminal(t testing.TB, cmd *osexec.Cmd, answer string, env ...string) string {
	t.Helper()
	quoted := make([]string, len(cmd.Args))
	for i, arg := range cmd.Args {
		quoted[i] = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}
	script := check.Cmd(t, "script", "-qec", "stty cols 80 -echo; "+strings.Join(quoted, " "), "/dev/null")
	script.Env = slices.Concat(cmd.Env, env, []string{"TERM=xterm-256color"})
	script.Stdin = strings.NewReader(answer)
	out, err := script.CombinedOutput()
	if err != nil && answer == "" {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.ReplaceAll(string(out), "\r\n", "\n")
}

// narrow fails the test if a line has more than 80 columns.
func narrow(t testing.TB, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
}

func TestMessagesAreReadableAtATerminal(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	check.Send(t, q, raw(`{"text": "esc \u001b[31m, csi `+"\u009b"+`31m, bidi `+"\u202e"+`, tag `+"\U000e0041"+`", "long_one": "`+strings.Repeat("words ", 500)+`"}`), queue.Headers{"trace": "abc"})
	check.Send(t, q, raw(`"`+strings.Repeat("x", 200)+`"`), queue.Delay(90*time.Minute))
	plain := onTerminal(t, pgmq("peek", q.Name()), "", "NO_COLOR=1")
	narrow(t, plain)
	check.Contains(t, plain, "1  sent 20", " · read 0 times · visible\n", `    headers {"trace": "abc"}`+"\n", "bytes in all, which --json shows\n", "2  sent 20", "hidden for 1h",
		`esc \u001b[31m`, `csi \u009b31m`, `bidi \u202e`, `\udb40\udc41`)
	if strings.ContainsAny(plain, "\x1b\u009b\u202e\U000e0041") {
		t.Errorf("what a terminal obeys is in %q", plain)
	}
	check.Contains(t, onTerminal(t, pgmq("peek", q.Name()), ""), "\x1b[1m1\x1b[m")
	lines := onTerminal(t, pgmq("peek", q.Name(), "--json"), "")
	check.Equal(t, "lines of JSON", strings.Count(lines, "\n"), 2)
	check.Contains(t, onTerminal(t, pgmq("read", q.Name(), "--vt", "1m"), "", "NO_COLOR=1"), "hidden for 1m0s\n", "read 1 time ·", "read 1 message of queue")
	_, err := q.ArchiveID(t.Context(), 1)
	check.OK(t, err)
	check.Contains(t, onTerminal(t, pgmq("archive", "list", q.Name()), ""), "archived 20")
}

func TestWhatDestroysAsksAtATerminal(t *testing.T) {
	check.Parallel(t)
	pgmq, q := commandHere(t), pgtest.Queue[raw](t)
	check.SendBatch(t, q, []raw{raw("1"), raw("2")})
	question := fmt.Sprintf("This will delete all of queue %q: 2 messages. Go on? [y/N] ", q.Name())
	for _, answer := range []string{"\n", "n\n", "\x04"} {
		check.Contains(t, onTerminal(t, pgmq("queue", "purge", q.Name()), answer), question, "not confirmed")
		check.Equal(t, "messages", check.Length(t, q), 2)
	}
	check.Contains(t, onTerminal(t, pgmq("queue", "purge", q.Name()), "y\n"), question, "deleted 2 messages")
	check.Equal(t, "messages", check.Length(t, q), 0)
	check.Contains(t, onTerminal(t, pgmq("archive", "prune", q.Name(), "--before", "0s"), "Yes\n"), "before 20", "Go on? [y/N]", "deleted 0 messages")
	check.Contains(t, onTerminal(t, pgmq("send", q.Name()), "\x04"), "nothing to send")
	check.Contains(t, onTerminal(t, pgmq("delete", q.Name()), "\x04"), "no ids")
}

// commands are all of them, with their subcommands.
func commands(t testing.TB, pgmq func(...string) *osexec.Cmd, path ...string) [][]string {
	t.Helper()
	all := [][]string{path}
	_, list, _ := strings.Cut(check.Output(t, pgmq(append(path, "--help")...)), "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for line := range strings.Lines(list) {
		if name := strings.Fields(line)[0]; name != "completion" && name != "help" {
			all = append(all, commands(t, pgmq, append(path[:len(path):len(path)], name)...)...)
		}
	}
	return all
}

func TestHelpFitsInATerminalAndHasExamples(t *testing.T) {
	check.Parallel(t)
	pgmq := check.Command(t)
	all := commands(t, pgmq)
	if len(all) < 25 {
		t.Fatalf("only %d commands were found", len(all))
	}
	for _, path := range all {
		help := check.Output(t, pgmq(append(path, "--help")...))
		narrow(t, help)
		if !strings.Contains(help, "Examples:\n") && !strings.Contains(help, "Available Commands:\n") {
			t.Errorf("%v has no example", path)
		}
	}
	check.Contains(t, check.Output(t, pgmq("--help")), "Exit codes", "3    done in part", "130", "141")
}
