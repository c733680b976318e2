package generics_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/pgmq-go/pgmq/generics"
)

func TestAFlushThatEndsItsGoroutineHangsNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var f flushes
		c := coalescer(2, func(ctx context.Context, batch []int) []generics.Result[int] {
			if batch[0] == 1 {
				runtime.Goexit()
			}
			return f.flush(ctx, batch)
		})
		doing(t.Context(), t, c, 0)
		one, same, next := doing(t.Context(), t, c, 1), doing(t.Context(), t, c, 2), doing(t.Context(), t, c, 3)
		for _, err := range []error{<-one, <-same} {
			if !errors.Is(err, generics.ErrOutcomeUnknown) {
				t.Error(err)
			}
		}
		if err := <-next; err != nil {
			t.Error(err)
		}
		f.want(t, []int{0}, []int{3})
	})
}
