// Package usage tells what this process has taken of the machine. Where the system does not tell it is 0, and a report
// leaves it out.
package usage
