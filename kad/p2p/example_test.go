package p2p_test

import (
	"context"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/kadbench/kadbench/kad"
	"github.com/kadbench/kadbench/kad/p2p"
)

// Two nodes of a network of their own: a server, and a client that stores a record and finds it again.
func Example() {
	ctx := context.Background()
	open := func(mode kad.Mode) *p2p.Node {
		n, err := p2p.New(p2p.Config{Kad: kad.Config{Mode: mode}, Protocols: []string{"/example/kad/1.0.0"}, Validators: p2p.Namespaces("v")})
		if err != nil {
			panic(err)
		}
		if err := n.Start(ctx); err != nil {
			panic(err)
		}
		return n
	}
	server, client := open(kad.ModeServer), open(kad.ModeClient)
	defer server.Close()
	defer client.Close()

	if err := client.Connect(ctx, *host.InfoFromHost(server.Host())); err != nil {
		panic(err)
	}
	put, err := client.PutRecord(ctx, p2p.Record{Key: []byte("/v/greeting"), Value: []byte("ok hello")}, kad.One)
	fmt.Println("stored at", len(put.Stored), "peer:", err)
	got, err := client.GetRecord(ctx, []byte("/v/greeting"), 0)
	fmt.Printf("%s (%d holders): %v\n", got.Value, len(got.Records), err)
	// Output:
	// stored at 1 peer: <nil>
	// ok hello (2 holders): <nil>
}

// For those who come from go-libp2p: a Node is a routing.Routing, so it goes where go-libp2p-kad-dht went. Here a host uses
// it to connect to a peer of whom it knows the id alone, and to find who provides a CID.
func Example_routing() {
	ctx := context.Background()
	alice, bob := exampleServer(ctx), exampleServer(ctx)
	defer alice.Close()
	defer bob.Close()
	_ = bob.Connect(ctx, *host.InfoFromHost(alice.Host()))

	var dht *p2p.Node
	h, err := libp2p.New(
		libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"),
		libp2p.Routing(func(h host.Host) (routing.PeerRouting, error) {
			var err error
			dht, err = p2p.New(p2p.Config{Host: h, Kad: kad.Config{Mode: kad.ModeClient}})
			if err != nil {
				return nil, err
			}
			return dht, dht.Start(ctx)
		}),
	)
	if err != nil {
		panic(err)
	}
	defer h.Close()
	defer dht.Close() // it works on the host, so it goes first
	_ = dht.Connect(ctx, *host.InfoFromHost(alice.Host()))

	fmt.Println("connected by id alone:", h.Connect(ctx, peer.AddrInfo{ID: bob.ID()}) == nil)

	c, _ := cid.Decode("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")
	var router routing.ContentRouting = dht
	_ = bob.Provide(ctx, c, true)
	for p := range router.FindProvidersAsync(ctx, c, 1) {
		fmt.Println("provided by bob:", p.ID == bob.ID())
	}
	// Output:
	// connected by id alone: true
	// provided by bob: true
}

// For those who come from rust-libp2p's kad: the operations, the queries and the events have its names. What an operation
// returns at once there is returned at once here; what arrives there as OutboundQueryProgressed is the method's result, and
// is told by Events too.
func Example_events() {
	ctx := context.Background()
	server := exampleServer(ctx)
	defer server.Close()
	n, _ := p2p.New(p2p.Config{Kad: kad.Config{Mode: kad.ModeClient, BootstrapThrottle: -1}})
	if err := n.Start(ctx); err != nil {
		panic(err)
	}
	defer n.Close()
	events := n.Events()

	update, _ := n.AddAddress(server.ID(), server.Addrs()[0])
	fmt.Println("added:", update == kad.UpdateSuccess)
	fmt.Println("bootstrap:", n.Bootstrap(ctx))
	for ev := range events {
		switch {
		case ev.Kind == kad.RoutingUpdated && ev.New:
			fmt.Println("routing updated: the server:", peer.ID(ev.Peer.ID) == server.ID())
		case ev.Kind == kad.QueryProgressed && ev.Step.Last:
			fmt.Println("last step of the bootstrap, remaining:", ev.Remaining)
			return
		}
	}
	// Output:
	// added: true
	// bootstrap: <nil>
	// routing updated: the server: true
	// last step of the bootstrap, remaining: 0
}

func exampleServer(ctx context.Context) *p2p.Node {
	n, err := p2p.New(p2p.Config{Kad: kad.Config{Mode: kad.ModeServer}})
	if err == nil {
		err = n.Start(ctx)
	}
	if err != nil {
		panic(err)
	}
	return n
}
