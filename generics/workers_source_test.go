package generics_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/pgmq-go/pgmq/generics"
)

// source hands out 0, 1, 2, … below size, and then waits for the end of ctx.
type source struct {
	size, next int
	most       int // the largest room at a fetch
	fetches    int
}

func (s *source) fetch(ctx context.Context, room func() int) ([]int, error) {
	if s.next == s.size {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	n := min(room(), s.size-s.next)
	s.most = max(s.most, n)
	s.fetches++
	jobs := make([]int, n)
	for i := range jobs {
		jobs[i] = s.next
		s.next++
	}
	return jobs, nil
}

// upTo returns 0, 1, 2, … below n.
func upTo(n int) []int {
	var all []int
	for i := range n {
		all = append(all, i)
	}
	return all
}

func nothing([]int) {}

// working starts Work. It returns a function that ends it, and a channel that
// receives its error.
func working(t *testing.T, p *generics.Workers[int]) (context.CancelFunc, chan error) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Work(ctx) }()
	synctest.Wait()
	return cancel, done
}

func ended(t *testing.T, done chan error) bool {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
		return true
	default:
		return false
	}
}
