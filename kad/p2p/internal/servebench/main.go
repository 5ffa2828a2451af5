// Command servebench measures a FIND_NODE server against another, in one run and with one client: requests a second,
// and CPU time a request, which is the steadier of the two. Both servers are programs that speak the control protocol,
// without a resource manager, in processes of their own; they get the same identity and the same synthetic peers, and
// must end up with the same table. The client is 4 peers with 32 streams each over TCP and Noise on loopback; every
// stream asks for uniform random keys, none repeated, one after another, and one answer in 100 is compared with the
// true nearest by SHA-256 and XOR. The servers take turns (A B A B ...), so that what else the machine does hits both.
//
//	go build -o bin/kadbench ./cmd/kadbench
//	go build -C harness/adapters/go-libp2p -o ../../../bin/go-libp2p .
//	go run ./kad/p2p/internal/servebench -a 'bin/kadbench node --unlimited' -b 'bin/go-libp2p --unlimited'
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// The shape of the load.
const (
	clients = 4
	streams = 32 // of each client
	offered = 400
	checked = 100 // one answer in so many
)

func main() {
	a := flag.String("a", "", "the server that is measured: a `command` that speaks the control protocol")
	b := flag.String("b", "", "the server that it is compared with")
	rounds := flag.Int("rounds", 5, "turns of each server")
	span := flag.Duration("for", 3*time.Second, "length of a turn, after half a second of warming up")
	flag.Parse()
	if *a == "" || *b == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, [2]string{*a, *b}, *rounds, *span); err != nil {
		fmt.Fprintln(os.Stderr, "servebench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, commands [2]string, rounds int, span time.Duration) error {
	peers := syntheticPeers(offered)
	var servers [2]*server
	var tables [2][]string
	for i, command := range commands {
		s, err := startServer(command)
		if err != nil {
			return err
		}
		defer s.close()
		servers[i] = s
		if tables[i], err = s.fill(peers); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if !slices.Equal(tables[0], tables[1]) {
		return fmt.Errorf("the tables differ: %d and %d of %d peers", len(tables[0]), len(tables[1]), offered)
	}
	fmt.Printf("table of %d peers (%d offered, 3 addresses each); %d streams over %d peers\n",
		len(tables[0]), offered, clients*streams, clients)
	truth := newTruth(tables[0])

	var rates, costs [2][]float64
	for round := range rounds {
		for i, s := range servers {
			r, err := turn(ctx, s, truth, uint64(round*2+i), span)
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			fmt.Printf("%-12s round %d: %8.0f requests/s, CPU a request %5.1f µs server, %5.1f µs client, %d answers checked, %d wrong, %d B an answer\n",
				s.name, round+1, r.rate(), r.serverCPU(), r.clientCPU(), r.checked, r.wrong, r.bytes/max(r.requests, 1))
			if r.wrong > 0 {
				return fmt.Errorf("%s: %d of %d answers that were checked are wrong", s.name, r.wrong, r.checked)
			}
			rates[i] = append(rates[i], r.rate())
			costs[i] = append(costs[i], r.serverCPU())
		}
	}
	fmt.Println(strings.Repeat("-", 40))
	for i, s := range servers {
		fmt.Printf("%-12s median %8.0f requests/s [%.0f, %.0f], server CPU %5.1f µs\n",
			s.name, median(rates[i]), slices.Min(rates[i]), slices.Max(rates[i]), median(costs[i]))
	}
	var ratios []float64 // turn by turn: neighbours in time saw the same machine
	for i := range rates[0] {
		ratios = append(ratios, rates[0][i]/rates[1][i])
	}
	fmt.Printf("ratio        %.2f times the requests [%.2f, %.2f], %.2f times less server CPU\n",
		median(ratios), slices.Min(ratios), slices.Max(ratios), median(costs[1])/median(costs[0]))
	return nil
}

func median(xs []float64) float64 {
	s := slices.Sorted(slices.Values(xs))
	if len(s)%2 == 1 {
		return s[len(s)/2]
	}
	return (s[len(s)/2-1] + s[len(s)/2]) / 2
}
