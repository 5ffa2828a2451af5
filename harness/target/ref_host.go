package target

import (
	libp2phost "github.com/libp2p/go-libp2p/core/host"

	"github.com/kadbench/kadbench/kad/p2p"
)

// refHost opens the host that the reference would open, for who answers on it in the reference's place, and says which
// protocols it would serve; none as a client.
func refHost(p StartParams, unlimited bool) (libp2phost.Host, []string, error) {
	cfg, err := refConfig(p)
	if err != nil {
		return nil, nil, err
	}
	cfg.Unlimited = unlimited
	h, err := p2p.NewHost(cfg)
	if err != nil {
		return nil, nil, Failed(Other, true, err)
	}
	switch {
	case p.Mode == "client":
		return h, nil, nil
	case len(cfg.Protocols) == 0:
		return h, []string{p2p.DefaultProtocol}, nil
	}
	return h, cfg.Protocols, nil
}
