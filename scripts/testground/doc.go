//go:build tools

// Package testground pins the version of Testground which scripts/testground.sh builds. It is a module of its own: in the
// main module, this version would raise sdk-go to one that prints on stdout and posts each point by itself.
package testground

import _ "github.com/testground/testground"
