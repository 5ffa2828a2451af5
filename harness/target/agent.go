package target

import "strings"

// splitAgent reads an agent string of identify, as "kubo/0.34.1/desktop" or "go-libp2p/v0.42.1": the name is what stands
// before the first part that begins as a version does, and the version is that part up to a blank. Without such a part
// all of it is the name.
func splitAgent(agent string) (name, version string) {
	parts := strings.Split(agent, "/")
	for i, part := range parts[1:] {
		digits := strings.TrimPrefix(part, "v")
		if digits == "" || digits[0] < '0' || digits[0] > '9' {
			continue
		}
		version, _, _ = strings.Cut(part, " ")
		return strings.Join(parts[:i+1], "/"), version
	}
	return agent, "unknown"
}
