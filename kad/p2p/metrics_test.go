package p2p

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/kadbench/kadbench/kad"
)

var update = flag.Bool("update", false, "write the golden files anew")

// last is the last event of a query which took so long and asked so many, of whom so many failed.
func last(result kad.ResultKind, err kad.QueryErr, took time.Duration, asked, failed uint32) kad.Event {
	return kad.Event{Kind: kad.QueryProgressed, Result: result, Err: err, Step: kad.ProgressStep{Count: 1, Last: true},
		Stats: kad.Stats{Requests: asked, Successes: asked - failed, Failures: failed, Start: 1, End: 1 + kad.Time(took)}}
}

// TestMetrics: what each event adds, as the text that a scrape gets (testdata/metrics.txt; -update writes it anew).
func TestMetrics(t *testing.T) {
	m, registry := new(metrics), prometheus.NewPedanticRegistry()
	require.NoError(t, registry.Register(m))

	found := kad.Event{Kind: kad.QueryProgressed, Result: kad.ResGetRecord, Found: true, Step: kad.ProgressStep{Count: 1}}
	provider := kad.Event{Kind: kad.QueryProgressed, Result: kad.ResGetProviders, Providers: make([]kad.PeerInfo, 3), Step: kad.ProgressStep{Count: 1}}
	closest := last(kad.ResGetClosestPeers, kad.QueryOK, 350*time.Millisecond, 24, 4)
	closest.Peers = make([]kad.PeerInfo, 20)
	entered := kad.Event{Kind: kad.RoutingUpdated, New: true, Bucket: 0}
	replaced := kad.Event{Kind: kad.RoutingUpdated, New: true, Bucket: 255, Old: kad.PeerInfo{ID: []byte("x")}}
	changed := kad.Event{Kind: kad.RoutingUpdated, Bucket: 3}
	left := kad.Event{Kind: kad.PeerEvicted, Bucket: 3}

	for _, ev := range []kad.Event{
		found, found, last(kad.ResGetRecord, kad.QueryOK, 100*time.Millisecond, 1, 0),
		last(kad.ResGetRecord, kad.QueryNotFound, 101*time.Millisecond, 20, 20),
		last(kad.ResGetRecord, kad.QueryQuorumFailed, 200*time.Millisecond, 512, 0),
		last(kad.ResGetRecord, kad.QueryTimeout, time.Minute, 513, 513),
		closest, last(kad.ResGetClosestPeers, kad.QueryTimeout, time.Minute, 3, 3),
		provider, last(kad.ResGetProviders, kad.QueryOK, time.Second, 2, 0),
		last(kad.ResGetProviders, kad.QueryTimeout, time.Minute, 2, 2),
		last(kad.ResBootstrap, kad.QueryOK, time.Second, 20, 1),
		last(kad.ResStartProviding, kad.QueryOK, time.Second, 40, 1),
		last(kad.ResRepublishProvider, kad.QueryOK, time.Second, 40, 1),
		last(kad.ResPutRecord, kad.QueryQuorumFailed, time.Second, 40, 40),
		last(kad.ResRepublishRecord, kad.QueryOK, time.Second, 40, 0),
		entered, entered, replaced, changed, left,
		{Kind: kad.InboundRequest, Inbound: kad.FindNodeReq}, {Kind: kad.InboundRequest, Inbound: kad.FindNodeReq},
		{Kind: kad.InboundRequest, Inbound: kad.GetProvidersReq}, {Kind: kad.InboundRequest, Inbound: kad.AddProvider},
		{Kind: kad.InboundRequest, Inbound: kad.GetRecord}, {Kind: kad.InboundRequest, Inbound: kad.PutRecord},
		{Kind: kad.InboundRequest, Inbound: kad.PingReq}, // libp2p-kad answers none
		{Kind: kad.ModeChanged}, {Kind: kad.UnroutablePeer},
	} {
		m.record(&ev)
	}
	const golden = "testdata/metrics.txt"
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(scrape(t, registry, "")), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), scrape(t, registry, ""))
	all, err := registry.Gather()
	require.NoError(t, err)
	problems, err := promlint.NewWithMetricFamilies(all).Lint()
	require.NoError(t, err)
	assert.Empty(t, problems)
}

// scrape is the text that a scrape gets, of the metrics whose names begin so.
func scrape(t *testing.T, from prometheus.Gatherer, prefix string) string {
	all, err := from.Gather()
	require.NoError(t, err)
	var text strings.Builder
	for _, f := range all {
		if strings.HasPrefix(f.GetName(), prefix) {
			_, err := expfmt.MetricFamilyToText(&text, f)
			require.NoError(t, err)
		}
	}
	return text.String()
}

// TestMetricsAreFew: whatever is counted, there are no more lines than metrics.go says.
func TestMetricsAreFew(t *testing.T) {
	m := new(metrics)
	for bucket := range 256 {
		m.record(&kad.Event{Kind: kad.RoutingUpdated, Bucket: bucket, New: true, Old: kad.PeerInfo{ID: []byte("x")}})
		m.record(&kad.Event{Kind: kad.RoutingUpdated, Bucket: bucket})
	}
	for result := range 256 {
		for why := range 256 {
			ev := last(kad.ResultKind(result), kad.QueryErr(why), time.Second, 1, 0)
			m.record(&ev)
		}
	}
	for kind := range 256 {
		m.record(&kad.Event{Kind: kad.InboundRequest, Inbound: kad.InputKind(kind)})
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(m)
	all, err := registry.Gather()
	require.NoError(t, err)
	lines := 0
	for _, f := range all {
		for _, one := range f.GetMetric() {
			if lines++; one.Histogram != nil {
				lines += len(one.Histogram.GetBucket()) + 2 // for one that is there: those up to infinity, the sum, the count
			}
		}
	}
	assert.Equal(t, 1225, lines)
}

// TestSlowScrape: a scrape that is not read keeps nobody from counting.
func TestSlowScrape(t *testing.T) {
	m := new(metrics)
	to := make(chan prometheus.Metric)
	over := make(chan struct{})
	go func() {
		defer close(over)
		m.Collect(to)
		close(to)
	}()
	<-to // it is under way
	for range 1000 {
		m.record(&kad.Event{Kind: kad.InboundRequest, Inbound: kad.FindNodeReq})
	}
	assert.Equal(t, uint64(1000), m.inboundRequests[kad.FindNodeReq])
	for range to {
	}
	<-over
}

// TestMetricsOfNode: a node counts what it does from Start to Close, whether anybody reads its events or not; two nodes
// cannot share the names.
func TestMetricsOfNode(t *testing.T) {
	simulated(t, 3, nil, func(t *testing.T, hosts []host.Host) {
		registry := prometheus.NewRegistry()
		cfg := quiet(hosts[0])
		cfg.Metrics = prometheus.WrapRegistererWith(prometheus.Labels{"node": "client"}, registry)
		n := running(t, cfg)
		server := quiet(hosts[1])
		server.Kad.Mode = kad.ModeServer
		server.Metrics = prometheus.WrapRegistererWith(prometheus.Labels{"node": "server"}, registry)
		s := running(t, server)
		defer s.Close()
		require.NoError(t, n.Connect(t.Context(), *host.InfoFromHost(hosts[1])))
		_, err := n.GetClosestPeers(t.Context(), []byte("k"), 0)
		require.NoError(t, err)

		const asked = "libp2p_kad_query_result_num_requests"
		assert.Contains(t, scrape(t, registry, "libp2p_kad_inbound"), `libp2p_kad_inbound_requests_total{node="server",request="FindNode"} 1`)
		assert.Contains(t, scrape(t, registry, asked), asked+`_count{node="client",type="GetClosestPeers"} 1`)

		other := quiet(hosts[2])
		other.Metrics = cfg.Metrics
		twice, err := New(other)
		require.NoError(t, err)
		var taken prometheus.AlreadyRegisteredError
		assert.ErrorAs(t, twice.Start(t.Context()), &taken)

		require.NoError(t, n.Close())
		assert.NotContains(t, scrape(t, registry, asked), "client")
		require.NoError(t, cfg.Metrics.Register(n.metrics)) // the names are free again
	})
}
