package docs

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pgmq-go/pgmq/queue"
	"github.com/pgmq-go/pgmq/queue/admin"
	"github.com/pgmq-go/pgmq/tests/internal/check"
)

// example builds a program of examples/, with the race detector if the tests have it.
func example(t testing.TB, name string) string {
	t.Helper()
	binary, race := filepath.Join(t.TempDir(), name), "-race=false"
	if check.RaceDetector {
		race = "-race"
	}
	check.Run(t, check.Cmd(t, "go", "-C", check.Root(), "build", race, "-o", binary, "./examples/"+name))
	return binary
}

// program is a process of an example.
type program struct {
	t     testing.TB
	cmd   *osexec.Cmd
	ended chan struct{} // closed when it is gone and all that it wrote was read
	err   error         // of its end

	mu    sync.Mutex
	wrote []string // its lines, of both streams
}

// startProgram starts a command on a database. It is killed when the test ends.
func startProgram(t testing.TB, pool *pgxpool.Pool, name string, args ...string) *program {
	t.Helper()
	p := &program{t: t, cmd: osexec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "DATABASE_URL="+check.DSN(pool), "ADDR=127.0.0.1:0", "GORACE=atexit_sleep_ms=0")
	out, in, err := os.Pipe()
	check.OK(t, err)
	p.cmd.Stdout, p.cmd.Stderr = in, in
	check.OK(t, p.cmd.Start())
	check.OK(t, in.Close())
	go func() {
		defer close(p.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.mu.Lock()
			p.wrote = append(p.wrote, lines.Text())
			p.mu.Unlock()
		}
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		check.Hold(p.ended)
		_ = out.Close()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", filepath.Base(name), p.output())
		}
	})
	return p
}

func (p *program) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.wrote, "\n")
}

// says waits for a text in the program's output.
func (p *program) says(text string) {
	p.t.Helper()
	check.Eventually(p.t, "the program says: "+text, func() bool { return strings.Contains(p.output(), text) })
}

// kill is kill -9.
func (p *program) kill() {
	p.t.Helper()
	check.OK(p.t, p.cmd.Process.Kill())
	check.Receive(p.t, p.ended)
}

// ends waits for its end, and returns an error if that was a bad one.
func (p *program) ends() error {
	p.t.Helper()
	check.Receive(p.t, p.ended)
	return p.err
}

// succeeds waits for its end, which must be a good one.
func (p *program) succeeds() {
	p.t.Helper()
	check.OK(p.t, p.ends())
}

// stop is SIGTERM, after which it must end well.
func (p *program) stop() {
	p.t.Helper()
	check.OK(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	p.succeeds()
}

// heldLock locks a table until free is called.
func heldLock(t testing.TB, pool *pgxpool.Pool, table string) (free func()) {
	t.Helper()
	tx, err := pool.Begin(t.Context())
	check.OK(t, err)
	t.Cleanup(func() { _ = tx.Rollback(context.Background()) })
	check.Exec(t, tx, "LOCK TABLE "+table+" IN EXCLUSIVE MODE")
	return func() {
		t.Helper()
		check.OK(t, tx.Rollback(t.Context()))
	}
}

// waitsForLock tells how many transactions wait for a lock of a table.
func waitsForLock(t testing.TB, pool *pgxpool.Pool, table string) int {
	t.Helper()
	return check.Value[int](t, pool, "SELECT count(*)::int FROM pg_locks WHERE relation = $1::regclass AND NOT granted", table)
}

func TestExampleOutboxSendsWithTheOrderOrNotAtAll(t *testing.T) {
	check.Parallel(t)
	pool := check.OwnDatabase(t)
	service := startProgram(t, pool, example(t, "outbox"))
	service.says("listening on ")
	_, url, _ := strings.Cut(service.output(), "listening on ")
	url, _, _ = strings.Cut(url, "\n")
	client := http.Client{Timeout: check.Patience}
	place := func(body string) int {
		t.Helper()
		answer, err := client.Post(url+"/orders", "application/json", strings.NewReader(body))
		check.OK(t, err)
		defer answer.Body.Close()
		_, err = io.Copy(io.Discard, answer.Body)
		check.OK(t, err)
		return answer.StatusCode
	}
	counts := func() (orders, mails int) {
		t.Helper()
		return check.Value[int](t, pool, `SELECT count(*)::int FROM orders`),
			check.Value[int](t, pool, check.Tables("orders", `SELECT ((SELECT count(*) FROM {Q}) + (SELECT count(*) FROM {A}))::int`))
	}

	check.Equal(t, "the answer", place(`{"customer": "ada"}`), http.StatusCreated)
	service.says("mail to ada: we have your order 1")
	check.Equal(t, "the answer to nonsense", place(`{}`), http.StatusBadRequest)

	// A commit that fails leaves neither an order nor a message.
	check.Exec(t, pool, `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no'; END$$;
		CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
			FOR EACH ROW WHEN (NEW.customer = 'mallory') EXECUTE FUNCTION refuse()`)
	check.Equal(t, "the answer", place(`{"customer": "mallory"}`), http.StatusServiceUnavailable)
	orders, mails := counts()
	check.Equal(t, "orders", orders, 1)
	check.Equal(t, "messages", mails, 1)

	// SIGTERM comes while an order is under way: it is finished, and so is its message.
	free := heldLock(t, pool, "orders")
	answer := make(chan int, 1)
	go func() { answer <- place(`{"customer": "bob"}`) }()
	check.Eventually(t, "the order is under way", func() bool { return waitsForLock(t, pool, "orders") == 1 })
	check.OK(t, service.cmd.Process.Signal(syscall.SIGTERM))
	check.Eventually(t, "nothing new is accepted", func() bool {
		answer, err := client.Get(url)
		if err == nil {
			_ = answer.Body.Close()
		}
		return err != nil
	})
	free()
	check.Equal(t, "the answer", check.Receive(t, answer), http.StatusCreated)
	service.succeeds()
	orders, mails = counts()
	check.Equal(t, "orders", orders, 2)
	check.Equal(t, "messages", mails, 2)
}

func TestExampleWorkerTriesAgainPutsAsideAndRedrives(t *testing.T) {
	check.Long(t)
	pool, binary := check.OwnDatabase(t), example(t, "worker")
	var mu sync.Mutex
	got, mended := map[string]int{}, false
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[r.URL.Path]++
		switch {
		case r.URL.Path == "/gone":
			w.WriteHeader(http.StatusGone)
		case r.URL.Path == "/busy" && got[r.URL.Path] == 1:
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
		case r.URL.Path == "/flaky" && got[r.URL.Path] < 3, r.URL.Path == "/down" && !mended:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer receiver.Close()
	times := func(path string) int {
		mu.Lock()
		defer mu.Unlock()
		return got[path]
	}

	type webhook struct {
		URL   string `json:"url"`
		Event string `json:"event"`
	}
	check.OK(t, admin.Create(t.Context(), pool, "webhooks"))
	check.OK(t, admin.Create(t.Context(), pool, "webhooks_dead"))
	webhooks, dead := check.Open[webhook](t, pool, "webhooks"), check.Open[webhook](t, pool, "webhooks_dead")
	for _, path := range []string{"/fine", "/flaky", "/busy", "/gone", "/down"} {
		check.Send(t, webhooks, webhook{URL: receiver.URL + path, Event: "hello"})
	}
	left := func(name string) int64 {
		stats, err := admin.Stats(t.Context(), pool, name)
		check.OK(t, err)
		return stats.Length
	}

	worker := startProgram(t, pool, binary)
	check.Eventually(t, "all is delivered or dead", func() bool { return left("webhooks") == 0 })
	for path, want := range map[string]int{"/fine": 1, "/flaky": 3, "/busy": 2, "/gone": 1, "/down": 5} {
		check.Equal(t, "deliveries to "+path, times(path), want)
	}
	letters, err := dead.Peek(t.Context(), 10)
	check.OK(t, err)
	reasons := map[string]queue.Reason{}
	for _, letter := range letters {
		reasons[strings.TrimPrefix(letter.Body.URL, receiver.URL)] = letter.Death().Reason
	}
	check.Equal(t, "dead letters", len(letters), 2)
	check.Equal(t, "why /gone is dead", reasons["/gone"], queue.ReasonDeadLetter)
	check.Equal(t, "why /down is dead", reasons["/down"], queue.ReasonMaxReads)

	mu.Lock()
	mended = true
	mu.Unlock()
	redrive := startProgram(t, pool, binary, "redrive")
	redrive.succeeds()
	check.Contains(t, redrive.output(), "2 messages go back")
	check.Eventually(t, "one is delivered, and the other dead again", func() bool { return left("webhooks") == 0 && left("webhooks_dead") == 1 })
	check.Equal(t, "deliveries to /down", times("/down"), 6)
	worker.stop()
}
