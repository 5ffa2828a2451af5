package kad_test

import (
	"fmt"

	"github.com/kadbench/kadbench/kad"
)

// Two nodes and the loop that drives them: alice knows bob's address and asks for the peers nearest to a key. Bob's
// answer names carol.
func Example() {
	var out kad.Output
	now := kad.Time(1_767_225_600e9)

	alice, _ := kad.New([]byte("alice"), kad.NewDirectory(), kad.Config{})
	bob, _ := kad.New([]byte("bob"), kad.NewDirectory(), kad.Config{Mode: kad.ModeServer})
	alice.Step(now, kad.Input{Kind: kad.OpAddAddress, Peer: kad.PeerInfo{ID: []byte("bob")}, Addr: []byte("bob's")}, &out)
	bob.Step(now, kad.Input{Kind: kad.OpAddAddress, Peer: kad.PeerInfo{ID: []byte("carol")}, Addr: []byte("carol's")}, &out)

	alice.Step(now, kad.Input{Kind: kad.OpGetClosestPeers, Key: []byte("some key")}, &out)
	for len(out.Commands) > 0 {
		request := out.Commands[0]
		fmt.Printf("alice sends %v to %s at %s\n", request.Kind, request.Peer.ID, request.Peer.Addrs[2:])
		if string(request.Peer.ID) != "bob" {
			// Nobody is there. The host says so, or alice's own clock does.
			for len(out.Commands) > 0 || len(out.Events) == 0 {
				now = alice.Wake()
				alice.Step(now, kad.Input{Kind: kad.Tick}, &out)
			}
			continue
		}
		// What follows would be done by a stream between two hosts.
		bob.Step(now, kad.Input{Kind: kad.FindNodeReq, Peer: kad.PeerInfo{ID: []byte("alice")}, Request: 1, Key: request.Key}, &out)
		reply := out.Commands[0]
		alice.Step(now, kad.Input{
			Kind: kad.FindNodeRes, Peer: kad.PeerInfo{ID: []byte("bob")}, Query: request.Query, Key: request.Key,
			Closer: append([]kad.PeerInfo(nil), reply.Closer...),
		}, &out)
	}
	for _, e := range out.Events {
		fmt.Printf("%v: %d peer, last: %v\n", e.Result, len(e.Peers), e.Step.Last)
	}
	// Output:
	// alice sends find_node to bob at bob's
	// alice sends find_node to carol at carol's
	// get_closest_peers: 1 peer, last: true
}
