package network

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"strings"

	"github.com/google/pprof/profile"

	"github.com/kadbench/kadbench/harness/record"
)

// A profile says where processor time goes, by samples of the stacks a hundred times a second. A sample belongs to the
// innermost function on its stack of which a row below knows whose it is: what a transport does in crypto/aes is the
// transport's, whoever called it.

// owners say whose a function is, by the beginning of its name; the first row that fits decides.
var owners = []struct{ what, prefix string }{
	{"collector", "runtime.gc"}, {"collector", "runtime.bgsweep"}, {"collector", "runtime.bgscavenge"}, {"collector", "runtime.scanobject"},
	{"collector", "runtime.markroot"}, {"collector", "runtime.(*gcWork)"}, {"collector", "runtime.(*mspan).sweep"}, {"collector", "runtime.greyobject"},
	{"kademlia", "github.com/kadbench/kadbench/kad"},
	{"kademlia", "github.com/libp2p/go-libp2p-kad-dht"}, {"kademlia", "github.com/libp2p/go-libp2p-kbucket"},
	{"kademlia", "github.com/libp2p/go-libp2p-record"}, {"kademlia", "github.com/libp2p/go-libp2p-routing-helpers"},
	{"harness", "github.com/kadbench/kadbench/harness"},
	{"transport", "github.com/libp2p/"}, {"transport", "github.com/quic-go/"}, {"transport", "github.com/flynn/noise"},
	{"transport", "github.com/multiformats/go-multistream"}, {"transport", "crypto/"}, {"transport", "golang.org/x/crypto/"},
	{"transport", "vendor/golang.org/x/crypto/"}, {"transport", "net."}, {"transport", "internal/poll."}, {"transport", "syscall."},
	{"transport", "internal/runtime/syscall."}, {"transport", "github.com/marten-seemann/"},
}

// parts in the order in which they are told.
var parts = []string{"kademlia", "transport", "collector", "harness", "other"}

// ownerOf is whose a function is, "" if no row knows.
func ownerOf(function string) string {
	for _, o := range owners {
		if strings.HasPrefix(function, o.prefix) {
			return o.what
		}
	}
	return ""
}

// profiling is a profile under way; nil: there is none.
type profiling struct {
	bytes bytes.Buffer
	over  bool
}

// startProfile is nil, too, where somebody else takes a profile of this process.
func startProfile(wanted bool) *profiling {
	p := &profiling{}
	if !wanted || pprof.StartCPUProfile(&p.bytes) != nil {
		return nil
	}
	return p
}

// drop ends a profile of which nobody wants the shares any more.
func (p *profiling) drop() {
	if p != nil && !p.over {
		p.over = true
		pprof.StopCPUProfile()
	}
}

// shares ends the profile and tells whose its samples are, and how many there were; none of a run too short for one.
func (p *profiling) shares() ([]record.Share, uint64, error) {
	if p == nil {
		return nil, 0, nil
	}
	p.drop()
	parsed, err := profile.Parse(&p.bytes)
	if err != nil {
		return nil, 0, fmt.Errorf("profile: %w", err)
	}
	shares, samples := sharesOf(parsed)
	return shares, samples, nil
}

func sharesOf(p *profile.Profile) (shares []record.Share, samples uint64) {
	of, sum := map[string]int64{}, int64(0)
	for _, s := range p.Sample {
		n := s.Value[len(s.Value)-1]
		of[ownerOfStack(s)] += n
		sum += n
		samples += uint64(max(s.Value[0], 0))
	}
	for _, what := range parts {
		if of[what] > 0 {
			shares = append(shares, record.Share{What: what, Of: float64(of[what]) / float64(sum)})
		}
	}
	return shares, samples
}

func ownerOfStack(s *profile.Sample) string {
	for _, at := range s.Location { // the innermost first, inlined calls too
		for _, line := range at.Line {
			if line.Function == nil {
				continue
			}
			if who := ownerOf(line.Function.Name); who != "" {
				return who
			}
		}
	}
	return "other"
}
