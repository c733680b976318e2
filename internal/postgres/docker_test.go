//go:build unix

package postgres

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// dockerStandIn is a docker command for tests. It keeps its state in files: one for
// each image and one for each container. File "slow" has the time that the creation of
// a container takes. File "port" has the server's port; without it there is none yet.
type dockerStandIn struct{ dir string }

const dockerScriptStandIn = `
cd "${0%/*}" || exit
echo "$*" >>calls
case $1 in
version)
	[ ! -e silent ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; }
	echo 24.0.0 ;;
image)
	for image; do :; done
	[ -e "image-$image" ] || { echo "No such image: $image" >&2; exit 1; } ;;
pull)
	[ ! -e offline ] || { echo "pull access denied" >&2; exit 1; }
	[ ! -e hang ] || { touch pulling; sleep 600; }
	touch "image-$2" ;;
run)
	while [ $# -gt 0 ]; do
		case $1 in
		--name) name=$2 ;;
		-e) printenv "$2" >password ;;
		esac
		shift
	done
	trap 'echo $name >signalled' INT TERM QUIT
	touch running
	[ ! -e slow ] || sleep "$(cat slow)"
	touch "container-$name"
	while [ -e "container-$name" ]; do sleep 0.02; done
	exit 137 ;;
port)
	[ -e port ] || { echo "no public port" >&2; exit 1; }
	cat port ;;
rm)
	for name; do :; done
	case "$*" in *-v*) ;; *) touch volume-left ;; esac
	rm "container-$name" ;;
*)
	echo "unknown: $*" >&2
	exit 125 ;;
esac
`

func fakeDocker(t *testing.T) dockerStandIn {
	t.Helper()
	d := dockerStandIn{sharedDir(t)}
	script(t, filepath.Join(d.dir, "docker"), dockerScriptStandIn)
	d.set(t, "image-"+DefaultImage, "")
	return d
}

func (d dockerStandIn) set(t *testing.T, name, value string) {
	t.Helper()
	temp := filepath.Join(d.dir, "new-"+name)
	if err := os.WriteFile(temp, []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(temp, filepath.Join(d.dir, name)); err != nil {
		t.Fatal(err)
	}
}

func (d dockerStandIn) get(name string) string {
	b, _ := os.ReadFile(filepath.Join(d.dir, name))
	return strings.TrimSpace(string(b))
}

func (d dockerStandIn) has(pattern string) bool {
	found, _ := filepath.Glob(filepath.Join(d.dir, pattern))
	return len(found) > 0
}

// gone checks that no container and no docker command is left.
func (d dockerStandIn) gone(t *testing.T, patience time.Duration) {
	t.Helper()
	var left []process
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		left = marked(t, d.dir)
		if len(left) == 0 && !d.has("container-*") || time.Now().After(end) {
			break
		}
	}
	if d.has("container-*") || len(left) > 0 {
		t.Errorf("a container or a process is left: %v", left)
	}
	if d.has("volume-left") {
		t.Error("the container's volume is left")
	}
	if d.has("signalled") {
		t.Error("docker run got a signal, which it might have missed a container for")
	}
}

func TestDockerStartsAndStops(t *testing.T) {
	t.Parallel()
	d := fakeDocker(t)
	m := testMachine(t)
	inside := m.mustStart(t, "fsync=off") // plays the server in the container
	m.path, m.globs = d.dir+":/usr/bin:/bin", nil

	go func() {
		eventually(t, "the container runs", func() bool { return d.has("container-*") && d.get("password") != "" })
		setPassword(t, inside.URL, d.get("password"))
		u, err := url.Parse(inside.URL)
		if err != nil {
			t.Error(err)
		}
		d.set(t, "port", u.Host+"\n[::1]:1\n")
	}()
	s, err := m.docker(t.Context(), DefaultImage, []string{"fsync=off", "a=b c;d"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Origin != "Docker image postgres:17" {
		t.Errorf("origin %q", s.Origin)
	}
	ask(t, s.URL, "select version()")

	calls := d.get("calls")
	run := "run --rm --name " + s.guard.name + " -p 127.0.0.1::5432 -e POSTGRES_PASSWORD postgres:17 postgres -c fsync=off -c a=b c;d\n"
	if !strings.Contains(calls, run) {
		t.Errorf("calls:\n%s\nno %s", calls, run)
	}
	if strings.Contains(calls, "pull") {
		t.Error("pulled an image that was there")
	}
	if strings.Contains(calls, s.guard.password) {
		t.Error("password among the arguments")
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	d.gone(t, 0)
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
}

func setPassword(t *testing.T, url, password string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "alter role postgres password '"+password+"'"); err != nil {
		t.Error(err)
	}
}

func TestDockerThatEndsTellsWhy(t *testing.T) {
	t.Parallel()
	d := fakeDocker(t)
	m := testMachine(t)
	m.path, m.globs = d.dir, nil
	d.set(t, "offline", "")
	for name, want := range map[string]string{"postgres:0": "pull access denied"} {
		_, err := m.docker(t.Context(), name, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	go func() {
		eventually(t, "the container runs", func() bool { return d.has("container-*") })
		found, _ := filepath.Glob(filepath.Join(d.dir, "container-*"))
		for _, container := range found {
			os.Remove(container)
		}
	}()
	begin := time.Now()
	if _, err := m.find(t.Context(), "", nil); err == nil || !strings.Contains(err.Error(), "ended before it answered") {
		t.Errorf("got %v", err)
	}
	if d := time.Since(begin); d > answerLimit/2 {
		t.Errorf("noticed after %v only", d)
	}
	d.gone(t, 0)
}

func TestDockerEngineThatIsDown(t *testing.T) {
	t.Parallel()
	d := fakeDocker(t)
	d.set(t, "silent", "")
	m := testMachine(t)
	m.path, m.globs = d.dir, nil
	_, err := m.find(t.Context(), "", nil)
	if !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "Cannot connect to the Docker daemon") {
		t.Errorf("got %v", err)
	}
}

func TestDockerCancelDuringPull(t *testing.T) {
	t.Parallel()
	d := fakeDocker(t)
	d.set(t, "hang", "")
	m := testMachine(t)
	m.path, m.globs = d.dir, nil
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		eventually(t, "docker pulls", func() bool { return d.has("pulling") })
		cancel()
	}()
	begin := time.Now()
	if _, err := m.docker(ctx, "postgres:0", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if d := time.Since(begin); d > killsAfter {
		t.Errorf("took %v", d)
	}
	d.gone(t, 0)
}

func TestDockerKilledParentLeavesNothing(t *testing.T) {
	t.Parallel()
	for name, moment := range map[string]string{"with a container": "container-*", "before the container": "running"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := fakeDocker(t)
			d.set(t, "slow", "0.3")
			dir := sharedDir(t)
			cmd, _ := child(t, "docker", "TMPDIR="+dir, "PATH="+d.dir+":"+os.Getenv("PATH"))
			eventually(t, moment, func() bool { return d.has(moment) })
			signalProcess(t, cmd.Process.Pid, syscall.SIGKILL)
			nothingLeft(t, dir, nil, patience)
			d.gone(t, time.Second)
			if !strings.Contains(d.get("calls"), "rm -f -v pgmq-postgres-") {
				t.Errorf("calls:\n%s", d.get("calls"))
			}
		})
	}
}
