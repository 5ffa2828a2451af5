package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/libp2p/go-libp2p/core/peer"
	mh "github.com/multiformats/go-multihash"
)

// server is a program that is driven by the control protocol.
type server struct {
	name string
	cmd  *exec.Cmd
	in   *json.Encoder
	out  *bufio.Scanner
	addr peer.AddrInfo
	stop func() error
	id   int
}

// seed of both servers' identity: the same buckets are full then.
var seed = sha256.Sum256([]byte("servebench"))

func startServer(command string) (*server, error) {
	words := strings.Fields(command)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{name: words[0][strings.LastIndexByte(words[0], '/')+1:], cmd: cmd, in: json.NewEncoder(in),
		out: bufio.NewScanner(out), stop: in.Close}
	s.out.Buffer(nil, 1<<20)
	if err := s.start(); err != nil {
		s.close()
		return nil, fmt.Errorf("%s: %w", command, err)
	}
	return s, nil
}

func (s *server) start() error {
	if err := s.call("hello", map[string]any{"version": 1}, nil); err != nil {
		return err
	}
	var started struct{ Addrs []string }
	err := s.call("start", map[string]any{
		"seed":       base64.RawURLEncoding.EncodeToString(seed[:]),
		"mode":       "server",
		"protocol":   protocolID,
		"transports": []string{"tcp"},
	}, &started)
	if err != nil {
		return err
	}
	for _, a := range started.Addrs {
		info, err := peer.AddrInfoFromString(a)
		if err != nil {
			return err
		}
		s.addr.ID = info.ID
		s.addr.Addrs = append(s.addr.Addrs, info.Addrs...)
	}
	return nil
}

// fill offers the peers to the server's table and returns what the table holds then, sorted. Only the first 20 of each
// bucket are offered: whom a full bucket prefers is a matter of policy, and the tables are to be equal.
func (s *server) fill(peers []synthetic) ([]string, error) {
	local := sha256.Sum256([]byte(s.addr.ID))
	full := make(map[int]int)
	for _, p := range peers {
		key := sha256.Sum256([]byte(p.id))
		b := commonPrefix(local, key)
		if full[b]++; full[b] > nearest {
			continue
		}
		for _, a := range p.addrs {
			if err := s.call("add_address", map[string]any{"peer": p.id.String(), "addr": a}, nil); err != nil {
				return nil, err
			}
		}
	}
	var table struct{ Peers []string }
	if err := s.call("table", struct{}{}, &table); err != nil {
		return nil, err
	}
	slices.Sort(table.Peers)
	return table.Peers, nil
}

// commonPrefix is the number of leading bits that two points share: the bucket.
func commonPrefix(a, b [32]byte) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return i*8 + bits.LeadingZeros8(x)
		}
	}
	return 256
}

// call is one line there and one line back.
func (s *server) call(method string, params, result any) error {
	s.id++
	err := s.in.Encode(map[string]any{"jsonrpc": "2.0", "id": s.id, "method": method, "params": params})
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if !s.out.Scan() {
		return fmt.Errorf("%s: the program ended: %v", method, s.out.Err())
	}
	var reply struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	if err := json.Unmarshal(s.out.Bytes(), &reply); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if reply.Error != nil {
		return fmt.Errorf("%s: %s", method, reply.Error.Message)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(reply.Result, result)
}

// cpu is the CPU time that the process has used, in ticks of 10 ms.
func (s *server) cpu() (ticks int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// utime and stime are the 12th and 13th fields after the command's name, which is in parentheses.
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc stat: %d fields", len(fields))
	}
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	if err1 != nil || err2 != nil {
		return 0, fmt.Errorf("/proc stat: %q", b)
	}
	return user + system, nil
}

func (s *server) close() {
	_ = s.stop()
	_ = s.cmd.Wait()
}

// synthetic is a peer that exists in tables only.
type synthetic struct {
	id    peer.ID
	addrs []string
}

// syntheticPeers are the same in every run: ids of the form of an RSA peer's, with 3 addresses each.
func syntheticPeers(n int) []synthetic {
	peers := make([]synthetic, n)
	for i := range peers {
		digest := sha256.Sum256(fmt.Appendf(nil, "servebench peer %d", i))
		hash, err := mh.Encode(digest[:], mh.SHA2_256)
		if err != nil {
			panic(err) // a digest of 32 bytes
		}
		peers[i].id = peer.ID(hash)
		for j := range 3 {
			peers[i].addrs = append(peers[i].addrs, fmt.Sprintf("/ip4/198.51.%d.%d/tcp/%d", 100+i/250, i%250+1, 4001+j))
		}
	}
	return peers
}
