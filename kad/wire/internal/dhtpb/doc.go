// Package dhtpb is the message as protoc generates it from dht.proto. It is the truth that package wire is held to:
// tests and benchmarks import it, nothing else does.
package dhtpb

//go:generate protoc -I ../../../.. --go_out=../../../.. --go_opt=paths=source_relative kad/wire/internal/dhtpb/dht.proto
