package queue

// Option is an option of New: [Observe] or [Intercept].
type Option interface {
	applyNew(c *core) error
}

// Observe has the queue's sends and consumers tell an observer. Several observers
// are told in their order. Without any, consumers log to slog.Default() by
// [LogObserver]. Observe(nil) changes nothing.
func Observe(o Observer) Option { return o }

// Intercept has an interceptor run around the queue's operations. Several run in
// their order, the first one outermost. Intercept(nil) changes nothing.
func Intercept(i Interceptor) Option { return i }

func (o Observer) applyNew(c *core) error {
	if o != nil {
		c.observers = append(c.observers, o)
	}
	return nil
}

func (i Interceptor) applyNew(c *core) error {
	if i != nil {
		c.interceptors = append(c.interceptors, i)
	}
	return nil
}
