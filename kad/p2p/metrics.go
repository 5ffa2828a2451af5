package p2p

import (
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kadbench/kadbench/kad"
)

// The metrics of a Node, by the names that rust-libp2p gives those of libp2p-kad (misc/metrics), so that one dashboard
// shows nodes of both. Config.Metrics says where they are registered; nil: nothing is counted.
//
//	name                                                kind       labels          what is counted
//	libp2p_kad_query_result_get_record_ok_total         counter                    records that gets have found
//	libp2p_kad_query_result_get_record_error_total      counter    error           gets that failed
//	libp2p_kad_query_result_get_closest_peers_ok        histogram                  peers of a lookup's result
//	libp2p_kad_query_result_get_closest_peers_error_total  counter error           lookups that failed
//	libp2p_kad_query_result_get_providers_ok            histogram                  providers of one response
//	libp2p_kad_query_result_get_providers_error_total   counter    error           searches for providers that failed
//	libp2p_kad_query_result_num_requests                histogram  type            requests of a query
//	libp2p_kad_query_result_num_success                 histogram  type            those that were answered
//	libp2p_kad_query_result_num_failure                 histogram  type            those that were not
//	libp2p_kad_query_result_duration_seconds            histogram  type            how long a query took
//	libp2p_kad_routing_updated_total                    counter    action, bucket  changes of the routing table
//	libp2p_kad_inbound_requests_total                   counter    request         requests of others
//
// type is one of 8 (Bootstrap, GetClosestPeers, ...), error one of 3 (NotFound, QuorumFailed, Timeout), request one of 5
// (FindNode, GetProvider, ...), action one of 3 (Added, Updated, Evicted), and bucket the logarithm of the distance, 0 to
// 255: libp2p-kad's number, 255 minus ours. Nothing that a peer says becomes a label, so a node has 1,225 lines at the
// most; those that were never counted are left out, as rust-libp2p's are. Counts have the buckets 1 to 512, seconds 0.1
// to 51.2, each twice the last.
//
// A query is counted once, with its last event. rust-libp2p adds its requests to the histogram with each event, so that
// a get which found three records is there four times.
//
// Counting is done where the core's events are handed on, under the node's lock: no event is missed, as it would be by a
// slow reader of Events. It adds to integers under a lock of its own, which a scrape holds only while it copies them, a
// microsecond: what it then does with the copy, however slowly, keeps nobody waiting.
type metrics struct {
	registered bool // guarded by Node.life

	mu sync.Mutex
	counts
}

// register makes the metrics known, and unregister unknown again. A nil metrics has nothing to register.
func (m *metrics) register(r prometheus.Registerer) error {
	if m == nil {
		return nil
	}
	err := r.Register(m)
	m.registered = err == nil
	return err
}

func (m *metrics) unregister(r prometheus.Registerer) {
	if m != nil && m.registered { // else another's of the same names would go
		m.registered = false
		r.Unregister(m)
	}
}

// counts are all the numbers, and no pointer, so that they can be copied.
type counts struct {
	recordsFound    uint64
	failed          [kad.ResRepublishRecord + 1][kad.QueryQuorumFailed + 1]uint64
	closest         histogram
	providers       histogram
	requests        [kad.ResRepublishRecord + 1]histogram
	successes       [kad.ResRepublishRecord + 1]histogram
	failures        [kad.ResRepublishRecord + 1]histogram
	seconds         [kad.ResRepublishRecord + 1]histogram
	routing         [3][256]uint64 // by action and bucket
	inboundRequests [kad.PingReq + 1]uint64
}

// histogram has ten buckets, each twice as wide as the last, and one for the rest.
type histogram struct {
	buckets [11]uint64
	sum     float64
}

// observe adds a value to a histogram whose first bucket ends at first.
func (h *histogram) observe(value, first float64) {
	i := 0
	for end := first; i < 10 && value > end; end *= 2 {
		i++
	}
	h.buckets[i]++
	h.sum += value
}

const (
	firstCount   = 1.0
	firstSeconds = 0.1
)

// Actions of routing_updated.
const (
	added = iota
	updated
	evicted
)

// record counts an event. A nil metrics counts nothing.
func (m *metrics) record(ev *kad.Event) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch ev.Kind {
	case kad.QueryProgressed:
		m.progress(ev)
	case kad.RoutingUpdated:
		action, bucket := updated, bucketOf(ev)
		if ev.New {
			action = added
		}
		m.routing[action][bucket]++
		if len(ev.Old.ID) > 0 {
			m.routing[evicted][bucket]++
		}
	case kad.PeerEvicted: // nobody came in its place: libp2p-kad has no such event, and its peers do not leave so
		m.routing[evicted][bucketOf(ev)]++
	case kad.InboundRequest:
		if int(ev.Inbound) < len(m.inboundRequests) {
			m.inboundRequests[ev.Inbound]++
		}
	}
}

// bucketOf is libp2p-kad's number of a bucket.
func bucketOf(ev *kad.Event) int { return 255 - ev.Bucket&255 }

func (m *metrics) progress(ev *kad.Event) {
	if int(ev.Result) >= len(m.failed) || int(ev.Err) >= len(m.failed[0]) {
		return
	}
	switch ev.Result {
	case kad.ResGetRecord:
		if ev.Found && ev.Err == kad.QueryOK {
			m.recordsFound++
		}
	case kad.ResGetProviders:
		if !ev.Step.Last {
			m.providers.observe(float64(len(ev.Providers)), firstCount)
		}
	}
	if !ev.Step.Last {
		return
	}
	if ev.Err != kad.QueryOK {
		m.failed[ev.Result][ev.Err]++
	} else if ev.Result == kad.ResGetClosestPeers {
		m.closest.observe(float64(len(ev.Peers)), firstCount)
	}
	s := &ev.Stats
	m.requests[ev.Result].observe(float64(s.Requests), firstCount)
	m.successes[ev.Result].observe(float64(s.Successes), firstCount)
	m.failures[ev.Result].observe(float64(s.Failures), firstCount)
	m.seconds[ev.Result].observe(time.Duration(s.End-s.Start).Seconds(), firstSeconds)
}

func description(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("libp2p_kad_"+name, help, labels, nil)
}

var (
	descGetRecordOK       = description("query_result_get_record_ok_total", "Records that get record queries have found.")
	descGetRecordError    = description("query_result_get_record_error_total", "Get record queries that failed.", "error")
	descGetClosestOK      = description("query_result_get_closest_peers_ok", "Peers in the result of a get closest peers query.")
	descGetClosestError   = description("query_result_get_closest_peers_error_total", "Get closest peers queries that failed.", "error")
	descGetProvidersOK    = description("query_result_get_providers_ok", "Providers in one response to a get providers query.")
	descGetProvidersError = description("query_result_get_providers_error_total", "Get providers queries that failed.", "error")
	descNumRequests       = description("query_result_num_requests", "Requests that a query made.", "type")
	descNumSuccess        = description("query_result_num_success", "Requests of a query that were answered.", "type")
	descNumFailure        = description("query_result_num_failure", "Requests of a query that failed.", "type")
	descDuration          = description("query_result_duration_seconds", "How long a query took.", "type")
	descRouting           = description("routing_updated_total", "Peers that entered, changed in or left a bucket of the routing table.", "action", "bucket")
	descInbound           = description("inbound_requests_total", "Requests of other peers.", "request")
)

var descriptions = []*prometheus.Desc{
	descGetRecordOK, descGetRecordError, descGetClosestOK, descGetClosestError, descGetProvidersOK, descGetProvidersError,
	descNumRequests, descNumSuccess, descNumFailure, descDuration, descRouting, descInbound,
}

// Values of the labels; "" is not counted.
var (
	queryTypes = [...]string{
		kad.ResBootstrap: "Bootstrap", kad.ResGetClosestPeers: "GetClosestPeers", kad.ResGetProviders: "GetProviders",
		kad.ResStartProviding: "StartProviding", kad.ResRepublishProvider: "RepublishProvider", kad.ResGetRecord: "GetRecord",
		kad.ResPutRecord: "PutRecord", kad.ResRepublishRecord: "RepublishRecord",
	}
	queryErrors = [...]string{kad.QueryTimeout: "Timeout", kad.QueryNotFound: "NotFound", kad.QueryQuorumFailed: "QuorumFailed"}
	actions     = [...]string{added: "Added", updated: "Updated", evicted: "Evicted"}
	requests    = [...]string{
		kad.FindNodeReq: "FindNode", kad.GetProvidersReq: "GetProvider", kad.AddProvider: "AddProvider",
		kad.GetRecord: "GetRecord", kad.PutRecord: "PutRecord", kad.PingReq: "",
	}
)

// Describe and Collect make it a prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range descriptions {
		to <- d
	}
}

func (m *metrics) Collect(to chan<- prometheus.Metric) {
	m.mu.Lock()
	c := m.counts
	m.mu.Unlock()

	// What has no label is there from the beginning, as rust-libp2p's is.
	to <- prometheus.MustNewConstMetric(descGetRecordOK, prometheus.CounterValue, float64(c.recordsFound))
	c.closest.collect(to, descGetClosestOK, firstCount)
	c.providers.collect(to, descGetProvidersOK, firstCount)

	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		if n > 0 && labels[0] != "" {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
		}
	}
	for why, label := range queryErrors {
		count(descGetRecordError, c.failed[kad.ResGetRecord][why], label)
		count(descGetClosestError, c.failed[kad.ResGetClosestPeers][why], label)
		count(descGetProvidersError, c.failed[kad.ResGetProviders][why], label)
	}
	for typ, label := range queryTypes {
		if label == "" || c.requests[typ].count() == 0 {
			continue
		}
		c.requests[typ].collect(to, descNumRequests, firstCount, label)
		c.successes[typ].collect(to, descNumSuccess, firstCount, label)
		c.failures[typ].collect(to, descNumFailure, firstCount, label)
		c.seconds[typ].collect(to, descDuration, firstSeconds, label)
	}
	for action, label := range actions {
		for bucket, n := range c.routing[action] {
			count(descRouting, n, label, strconv.Itoa(bucket))
		}
	}
	for kind, label := range requests {
		count(descInbound, c.inboundRequests[kind], label)
	}
}

func (h *histogram) count() (n uint64) {
	for _, in := range h.buckets {
		n += in
	}
	return n
}

func (h *histogram) collect(to chan<- prometheus.Metric, d *prometheus.Desc, first float64, labels ...string) {
	upTo := make(map[float64]uint64, 10)
	var n uint64
	for i, end := 0, first; i < 10; i, end = i+1, end*2 {
		n += h.buckets[i]
		upTo[end] = n
	}
	to <- prometheus.MustNewConstHistogram(d, h.count(), h.sum, upTo, labels...)
}
