package ground

// Params are the values of a case's parameters, the defaults included.
type Params map[string]string
