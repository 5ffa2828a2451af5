// Package target is everything that kadbench speaks to: the peers under test, and the harness's own peers around them.
//
// A target is given as text. ref: is the reference in this process, cmd: a program that speaks the control protocol
// (docs/control-protocol.md), image: such a program in a container, addr: whatever listens at an address. Parse makes a
// Factory of it; each Target that the factory makes is a process, a container or a dialled address of its own:
//
//	f, err := target.Parse("go=cmd:bin/go-libp2p")
//	t, err := f.New(ctx)                // has said hello
//	defer t.Close()
//	s, err := t.Start(ctx, target.StartParams{Seed: target.SeedText(seed), Mode: "server", Protocol: proto})
//	var got target.ClosestResult
//	err = t.Call(ctx, "get_closest_peers", target.ClosestParams{Key: key}, &got)
//	switch {
//	case errors.Is(err, target.ErrUnsupported): // it cannot: the case does not run
//	case errors.Is(err, target.ErrDied):        // it crashed or hung; f.New makes another
//	}
//
// A Puppet is a libp2p host whose bytes the harness writes. It speaks real TCP or QUIC with real handshakes, identifies
// as a plan says, and else does nothing of its own accord:
//
//	p, err := target.NewPuppet(target.PuppetConfig{Kind: target.Raw})
//	defer p.Close()
//	info, err := s.Info()
//	err = p.Connect(ctx, info)
//	stream, err := p.Open(ctx, info.ID, proto)  // ErrRefused is certain: the answer was read
//	err = stream.Write(ctx, bytes)              // any bytes, whole frames or not
//	event, err := stream.Next(ctx)              // a frame, an end, a reset, or what cannot be read
//
// What lies where: puppet.go, host.go, stream.go, frames.go, serving.go, port.go and identity.go are the puppets;
// target.go, methods.go and errors.go the vocabulary; parse.go, channel.go, client.go, process.go, image.go and
// listener.go the harness's side of a target; serve.go and the files ref*.go the target's side. The suite for adapters is package targettest.
//
// Only the files ref*.go import kad: the judge shares no code with the accused but the wire format.
package target
