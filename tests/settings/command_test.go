package settings

import (
	"strings"
	"testing"
)

// byCommand are the commands.
var byCommand = []operation{
	commands("send", `send Q {"n":1}`, `send Q {"n":2} --delay 90m`),
	commands("read", `read Q --vt 5m`, `read Q --json`),
	commands("pop", `pop Q`),
	commands("peek", `peek Q`, `peek Q --json`),
	commands("set-vt, delete, archive", `set-vt Q 1h 1`, `delete Q 2`, `archive Q 3`),
	commands("archives", `archive Q 1 2`, `archive list Q`, `archive list Q --json`, `archive replay Q --all`, `archive prune Q --before 1h --yes`),
	commands("redrive", `redrive D Q`),
	commands("queues", `queue list`, `queue list --json`, `queue show Q`, `queue show Q --json`, `queue purge Q --yes`, `queue create O`, `queue drop O`),
	commands("stats", `stats`, `stats Q --json`),
	commands("doctor", `doctor --json`),
	commands("maintain", `maintain`),
	commands("bench", `bench --duration 20ms --producers 2 --consumers 2`),
	commands("migrations", `migrate status`, `migrate status --json`, `migrate up --dry-run`, `api list`),
}

// commands is an operation of command lines, in which Q is a queue with messages and
// D an empty one.
func commands(name string, lines ...string) operation {
	return operation{"pgmq " + name, func(t *testing.T, s site) {
		queue := "c " + name
		s.queue(t, queue+" dead")
		s.filled(t, queue)
		for _, line := range lines {
			s.pgmq(t, line, queue)
		}
	}}
}

// pgmq runs a command line. It may find nothing to do, and doctor may find problems that
// are intended here.
func (s site) pgmq(t testing.TB, line, queue string) {
	t.Helper()
	args := strings.Fields(line)
	for i, arg := range args {
		switch arg {
		case "Q":
			args[i] = queue
		case "D":
			args[i] = queue + " dead"
		case "O":
			args[i] = queue + " other"
		}
	}
	cmd := s.command(args...)
	cmd.Env = append(cmd.Env, "DATABASE_URL="+s.url)
	out, err := cmd.CombinedOutput()
	switch code := cmd.ProcessState.ExitCode(); {
	case code == 0, code == 3 && args[0] != "doctor":
	case code == 4 && args[0] == "doctor" && !strings.Contains(string(out), `"unchecked"`):
	default:
		t.Errorf("pgmq %s: %v\n%s", line, err, out)
	}
}
