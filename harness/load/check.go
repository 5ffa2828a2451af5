package load

import (
	"fmt"
	"math/bits"
	"time"
)

// Limits of a load.
const (
	// MaxTime is the last moment of a load: ten years, so that no sum of times comes near the 292 that a Duration holds.
	MaxTime = 10 * 365 * 24 * time.Hour
	// MaxShots of a line: a thousand times what a simulation of a million nodes is asked for, and 2^30 times 2^32 fits.
	MaxShots = 1 << 30
	// MaxLines of a load, and MaxMix parts of a line: each shot looks at all of them.
	MaxLines = 64
	MaxMix   = 64
	// MaxSkew: at 10 the second number comes once in a thousand draws.
	MaxSkew = 10 * million
)

// Check says what is wrong with a configuration: a wrapped ErrConfig that names the line and the field.
func (c Config) Check() error {
	if len(c.Lines) > MaxLines {
		return fmt.Errorf("%w: %d lines: %d at most", ErrConfig, len(c.Lines), MaxLines)
	}
	for i, l := range c.Lines {
		if err := c.checkLine(l); err != nil {
			return fmt.Errorf("%w %d: %w", ErrConfig, i+1, err)
		}
	}
	return nil
}

func (c Config) checkLine(l Line) error {
	switch {
	case l.Arrivals > Poisson:
		return fmt.Errorf("arrivals: there is no %d", l.Arrivals)
	case l.From < 0 || l.From > MaxTime:
		return fmt.Errorf("from: %v: from 0 to %v", l.From, MaxTime)
	case l.For < 0 || l.For > MaxTime:
		return fmt.Errorf("for: %v: from 0 to %v", l.For, MaxTime)
	case l.Count > MaxShots:
		return fmt.Errorf("count: %d: %d at most", l.Count, MaxShots)
	case l.Count == 0 && l.For == 0:
		return fmt.Errorf("neither count nor for: nothing would end it")
	case l.Count == 0 && l.Rate.N == 0 && l.To.N == 0:
		return fmt.Errorf("neither count nor rate: nothing would come")
	case l.To != (Rate{}) && l.For == 0:
		return fmt.Errorf("to: a rate that changes needs for, the time that it takes")
	case l.To != (Rate{}) && l.To.N == 0 && l.Rate.N == 0:
		return fmt.Errorf("to: from a rate of 0 to a rate of 0: nothing would come")
	case l.To == (Rate{}) && l.Rate != (Rate{}) && l.Rate.N == 0:
		return fmt.Errorf("rate: 0 in %v: nothing would come", l.Rate.per())
	case len(l.Mix) == 0 || len(l.Mix) > MaxMix:
		return fmt.Errorf("mix: %d parts: 1 to %d", len(l.Mix), MaxMix)
	}
	for _, r := range []struct {
		name string
		Rate
	}{{"rate", l.Rate}, {"to", l.To}} {
		if r.N > MaxShots || r.Per < 0 || r.Per > MaxTime {
			return fmt.Errorf("%s: %d in %v: at most %d, in a time from 1ns to %v", r.name, r.N, r.Per, MaxShots, MaxTime)
		}
		hi, lo := bits.Mul64(r.N, uint64(l.For))
		if l.Count == 0 && (hi > 0 || lo/uint64(r.per()) > MaxShots) {
			return fmt.Errorf("%s: %d in %v over %v: more than %d shots", r.name, r.N, r.per(), l.For, MaxShots)
		}
	}
	for _, p := range l.Mix {
		if err := c.checkPart(p); err != nil {
			return fmt.Errorf("%s: %w", p.Kind, err)
		}
	}
	return nil
}

func (c Config) checkPart(p Part) error {
	k := p.Keys
	switch {
	case p.Kind == "":
		return fmt.Errorf("kind: none")
	case k.Order > Hot:
		return fmt.Errorf("order: there is no %d", k.Order)
	case k.Lag < 0 || k.Lag > MaxTime:
		return fmt.Errorf("lag: %v: from 0 to %v", k.Lag, MaxTime)
	case k.Skew > MaxSkew:
		return fmt.Errorf("skew: %d millionths: %d at most", k.Skew, MaxSkew)
	case k.Share > million:
		return fmt.Errorf("share: %d millionths: %d at most", k.Share, million)
	case k.Published && published[p.Kind] == "":
		return fmt.Errorf("published: only what seeks can ask for what was published")
	case k.Published && !c.publishes(published[p.Kind]):
		return fmt.Errorf("published: no line has a %s", published[p.Kind])
	case k.Of == 0 && !k.Published && (k.Order != Uniform || published[p.Kind] != ""):
		return fmt.Errorf("of: how many keys there are to draw from must be said")
	case k.Order == Zipf && k.Of > MaxZipf:
		return fmt.Errorf("of: %d: a Zipf order has %d at most", k.Of, MaxZipf)
	}
	return nil
}

// publishes says whether a line has a part of that kind.
func (c Config) publishes(kind Kind) bool {
	for _, l := range c.Lines {
		for _, p := range l.Mix {
			if p.Kind == kind {
				return true
			}
		}
	}
	return false
}
