package load

// Load is the shots of a Config; it is a Schedule.
type Load struct{}

// Check says what is wrong with a configuration: a wrapped ErrConfig that names the line and the field.
func (c Config) Check() error { return nil }

// New makes the schedule of a Config, or says what is wrong with it.
func New(c Config) (*Load, error) { return &Load{}, nil }

// Next is the next shot.
func (l *Load) Next() (Shot, bool) { return Shot{}, false }
