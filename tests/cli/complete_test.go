package cli

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// directives of cobra, as the last line of a completion has them.
const (
	anyFile  = ":0"
	failed   = ":1"
	noFile   = ":4"
	fileLike = ":8"
	aDir     = ":16"
)

// completing returns a shell's completions of the last argument, and cobra's
// directive, on a database with the queues orders and orders_dead.
func completing(t testing.TB) (complete func(args ...string) ([]string, string), pool *pgxpool.Pool) {
	t.Helper()
	pgmq, pool := check.Command(t), check.OwnDatabase(t)
	for _, name := range []string{"orders", "orders_dead"} {
		check.OK(t, admin.Create(t.Context(), pool, name))
	}
	return func(args ...string) ([]string, string) {
		t.Helper()
		cmd := pgmq(append([]string{"__complete"}, args...)...)
		cmd.Env = append(cmd.Env, "DATABASE_URL="+check.DSN(pool))
		lines := strings.Split(strings.TrimSpace(check.Output(t, cmd)), "\n")
		words := lines[:len(lines)-1]
		for i, word := range words {
			words[i], _, _ = strings.Cut(word, "\t") // its description
		}
		return words, lines[len(lines)-1]
	}, pool
}

func TestShellsCompleteNamesOfQueues(t *testing.T) {
	check.Long(t)
	complete, _ := completing(t)
	offers := func(want []string, args ...string) {
		t.Helper()
		got, directive := complete(args...)
		for _, word := range want {
			if !slices.Contains(got, word) {
				t.Errorf("%q offers %q, not %q", args, got, word)
			}
		}
		if len(want) == 0 && len(got) > 0 {
			t.Errorf("%q offers %q", args, got)
		}
		check.Equal(t, fmt.Sprintf("the directive of %q", args), directive, noFile)
	}
	both := []string{"orders", "orders_dead"}
	pgmq := check.Command(t)
	taken := 0
	for _, path := range commands(t, pgmq) {
		help := check.Output(t, pgmq(append(path, "--help")...))
		_, usage, _ := strings.Cut(help, "Usage:\n")
		usage, _, _ = strings.Cut(usage, "\n")
		made := slices.Equal(path, []string{"queue", "create"}) || slices.Equal(path, []string{"queue", "migration"}) || strings.HasPrefix(usage, "  pgmq api ")
		if made || !strings.Contains(usage, "QUEUE") && !strings.Contains(usage, "NAME") && !strings.Contains(usage, "FROM") {
			continue
		}
		taken++
		offers(both, append(path, "")...)
	}
	if taken < 15 {
		t.Fatalf("only %d commands take the name of a queue", taken)
	}

	offers(nil, "read", "orders", "")
	offers([]string{"replay", "orders"}, "archive", "")
	offers([]string{"max reads", "undecodable"}, "redrive", "a", "b", "--reason", "")
	second, _ := complete("redrive", "orders", "")
	check.EqualAll(t, "what is left of the queues", second, []string{"orders_dead"})
	offers(nil, "queue", "create", "")
	cmd := pgmq("__complete", "read", "--database-url", "postgres://127.0.0.1:1/x", "")
	check.Equal(t, "without a server", check.Output(t, cmd), failed+"\n")
}

func TestShellsCompleteCommandsFlagsAndFiles(t *testing.T) {
	check.Long(t)
	complete, _ := completing(t)
	pgmq := check.Command(t)
	for _, path := range commands(t, pgmq) {
		if len(path) == 0 {
			continue
		}
		got, directive := complete(path...)
		check.Equal(t, fmt.Sprintf("the directive of %q", path), directive, noFile)
		if !slices.Contains(got, path[len(path)-1]) {
			t.Errorf("%q offers %q", path, got)
		}
	}
	flags, _ := complete("doctor", "--")
	for _, flag := range []string{"--json", "--max-transaction", "--database-url"} {
		if !slices.Contains(flags, flag) {
			t.Errorf("%s is missing in %q", flag, flags)
		}
	}
	apis, _ := complete("api", "remove", "")
	check.EqualAll(t, "the APIs", apis, []string{"legacy_names", "pgmq_public"})
	for directive, args := range map[string][]string{
		aDir:     {"migrate", "export", ""},
		fileLike: {"generate", "--file", ""},
		anyFile:  {"send", "orders", "--file", ""},
		noFile:   {"doctor", ""},
	} {
		_, got := complete(args...)
		check.Equal(t, fmt.Sprintf("the directive of %q", args), got, directive)
	}
}

// inBash returns bash's completions of the last word of a line, with the script that
// pgmq completion bash writes.
const inBash = `
source /dev/stdin
read -ra COMP_WORDS <<< "$1"
[[ $1 == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=63
compopt() { :; }
_init_completion() { # of the package bash-completion, which may not be here
	cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
}
__start_pgmq
printf '%s\n' "${COMPREPLY[@]}"
`

func TestCompletionScriptsWork(t *testing.T) {
	check.Parallel(t)
	_, pool := completing(t)
	pgmq := check.Command(t)
	path := pgmq().Path

	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := check.Output(t, pgmq("completion", shell))
		check.Contains(t, script, "pgmq", "__complete")
		file := filepath.Join(t.TempDir(), "pgmq."+shell)
		check.OK(t, os.WriteFile(file, []byte(script), 0o600))
		binary, err := osexec.LookPath(shell)
		if err != nil {
			t.Logf("%s is not here to parse its script", shell)
			continue
		}
		check.Run(t, check.Cmd(t, binary, "-n", file))
	}
	check.Contains(t, check.Output(t, pgmq("completion", "powershell")), "pgmq")

	offers := func(line string) string {
		bash := check.Cmd(t, "bash", "-c", inBash, "bash", line)
		bash.Env = append(os.Environ(), "DATABASE_URL="+check.DSN(pool), "PATH="+filepath.Dir(path)+":"+os.Getenv("PATH"))
		bash.Stdin = strings.NewReader(check.Output(t, pgmq("completion", "bash")))
		return check.Output(t, bash)
	}
	check.Contains(t, offers("pgmq do"), "doctor")
	check.Contains(t, offers("pgmq read "), "orders", "orders_dead")
	check.Equal(t, "what is offered for a beginning", offers("pgmq read orders_"), "orders_dead\n")
}
