package generics_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pgmq-go/pgmq/generics"
)

func TestSleepWaitsForItsDurationAndReportsThatTheContextGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, d := range []time.Duration{-time.Second, 0, time.Nanosecond, time.Hour} {
			start := time.Now()
			goesOn := generics.Sleep(t.Context(), d)
			if slept := time.Since(start); !goesOn || slept != max(d, 0) {
				t.Errorf("%v: %v after %v", d, goesOn, slept)
			}
		}
	})
}

func TestSleepEndsWithTheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if generics.Sleep(ctx, time.Hour) || time.Since(start) != time.Minute {
			t.Errorf("it slept for %v", time.Since(start))
		}
		for range 100 { // both the timer and the context are ready
			if generics.Sleep(ctx, 0) {
				t.Fatal("the context has ended")
			}
		}
	})
}
