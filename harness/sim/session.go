package sim

// SessionTrace is sessions as somebody has recorded them.
type SessionTrace struct{}
