package queue

// Option is an option of New: [Observe] or [Intercept].
type Option interface {
	applyNew(c *core) error
}

// ObserveOption is an option of New and of consumers.
type ObserveOption interface {
	Option
	ConsumeOption
}

// Observe has an observer told of the queue's sends and consumers, as an option of
// New, or of one consumer, as an option of Consume, ConsumeTx or ConsumeBatch.
// Several observers are told in their order, those of New first. Without any,
// consumers log to slog.Default() by [LogObserver]. Observe(nil) changes nothing.
func Observe(o Observer) ObserveOption { return o }

// Intercept has an interceptor run around the queue's operations. Several run in
// their order, the first one outermost. Intercept(nil) changes nothing.
func Intercept(i Interceptor) Option { return i }

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
