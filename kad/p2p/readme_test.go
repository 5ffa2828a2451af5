package p2p_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/routing"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// library is what the README shows of the node as a library.
func library(ctx context.Context, h host.Host, peers []string, c cid.Cid, name string, record []byte) error {
	node, err := p2p.New(p2p.Config{Host: h, Bootstrap: peers, Metrics: prometheus.DefaultRegisterer})
	if err != nil {
		return err
	}
	if err := node.Start(ctx); err != nil {
		return err
	}
	defer node.Close()
	if err := node.Bootstrap(ctx); err != nil {
		return err
	}

	// As a program from go-libp2p has it: a routing.Routing.
	var dht routing.Routing = node
	for p := range dht.FindProvidersAsync(ctx, c, 1) {
		fmt.Println("provider:", p.ID)
	}

	// As one from rust-libp2p has it: the operations and events of libp2p-kad.
	put, err := node.PutRecord(ctx, p2p.Record{Key: []byte(name), Value: record}, kad.Majority)
	if err != nil {
		return err
	}
	fmt.Println("stored by", len(put.Stored), "peers, after", put.Stats.Requests, "requests")
	return nil
}

// TestREADME: what the README shows compiles, being a part of this file, and works.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("readme_test.go")
	require.NoError(t, err)
	shown := regexp.MustCompile("(?ms)^```go\n(.*?)^```").FindAllStringSubmatch(string(readme), -1)
	require.Len(t, shown, 1)
	lines := strings.SplitAfter(shown[0][1], "\n")
	for i, line := range lines {
		if strings.TrimSpace(line) != "" {
			lines[i] = "\t" + line
		}
	}
	assert.Contains(t, string(source), strings.Join(lines, ""))

	ctx := context20(t)
	servers, _ := swarm(t, 2, p2p.Config{Transports: []string{p2p.TCP}})
	require.NoError(t, servers[0].Provide(ctx, content, true))
	id, key, _ := signed(t, 1, time.Hour)
	assert.NoError(t, library(ctx, bare(t), []string{servers[0].Addrs()[0].String()}, content, routing.KeyForPublicKey(id), key))
}
