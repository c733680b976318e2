package generics_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/pgmq-go/pgmq/generics"
)

func TestAPanicGoesOnInTheLeaderAndHangsNobody(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func() []generics.Result[int]{
		"panic":           func() []generics.Result[int] { panic("broken") },
		"too few results": func() []generics.Result[int] { return nil },
		"Goexit":          func() []generics.Result[int] { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var f flushes
				panicked := make(chan any, 1)
				c := generics.NewCoalescer(2, func(ctx context.Context, batch []int) []generics.Result[int] {
					if batch[0] == 1 {
						return broken()
					}
					return f.flush(ctx, batch)
				})
				doing(t.Context(), t, c, 0)
				go func() {
					defer func() { panicked <- recover() }()
					c.Do(t.Context(), 1)
				}()
				synctest.Wait()
				same, next := doing(t.Context(), t, c, 2), doing(t.Context(), t, c, 3)
				if p := <-panicked; (p == nil) != (name == "Goexit") {
					t.Error("panicked with", p)
				}
				if err := <-same; !errors.Is(err, generics.ErrUnknown) {
					t.Error(err)
				}
				if err := <-next; err != nil {
					t.Error(err)
				}
				f.want(t, []int{0}, []int{3})
			})
		})
	}
}
