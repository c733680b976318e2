package queue

// Option is an option of New: [Observe], [Intercept] or [SessionPerCaller].
type Option interface {
	applyNew(c *core) error
}

// ObserveOption is an option of New and of consumers.
type ObserveOption interface {
	Option
	ConsumeOption
}

// Observe adds an observer. As an option of New it gets the events of the queue's
// sends and consumers; as an option of Consume, ConsumeTx or ConsumeBatch, those of
// one consumer. Several observers run in their order, those of New first. Without any,
// consumers log to slog.Default() by [LogObserver]. Observe(nil) changes nothing.
func Observe(o Observer) ObserveOption { return o }

// Intercept runs an interceptor around the queue's operations. Several run in
// their order, the first one outermost. Intercept(nil) changes nothing.
func Intercept(i Interceptor) Option { return i }

// SessionPerCaller says whether a session of the pool depends on its caller's ctx: on a
// tenant or a role that a hook of the pool takes from the ctx. Then every Send has a
// statement of its own under its own ctx. SendAsync shares statements, and consumers
// share a listening connection, only among calls with the very same ctx. Reads do not
// share their knowledge of a long queue.
//
// The default is true for a pool with PrepareConn or BeforeAcquire, and for a type of
// your own that embeds a pool, as its methods may do the same. It is false for any
// other pool, and has no meaning on a connection or in a transaction. Set it to false
// where the hook does not look at its ctx: sharing is several times as fast. Set it to
// true where a tracer changes the session by its ctx.
type SessionPerCaller bool

func (s SessionPerCaller) applyNew(c *core) error {
	perCaller := bool(s)
	c.perCaller = &perCaller
	return nil
}

func (o Observer) applyNew(c *core) error {
	if o != nil {
		c.observers = append(c.observers, o)
	}
	return nil
}

func (o Observer) applyConsume(c *consumeOptions) error {
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
