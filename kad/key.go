package kad

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// KeyBits is the length of a Key in bits, and CommonPrefix's answer for two equal keys.
const KeyBits = 256

// Key is a point in the keyspace: SHA-256 of a binary peer id or of a record key (libp2p-kad L51, ipfs-kad L221).
type Key [32]byte

// KeyOf is the key of a binary peer id, a record key or a multihash.
func KeyOf(b []byte) Key { return sha256.Sum256(b) }

// Distance is the XOR of two keys; as a big-endian number it is how far they are apart.
func (k Key) Distance(other Key) Key {
	for i := range k {
		k[i] ^= other[i]
	}
	return k
}

// Compare says whether a is nearer to k than b is: -1 nearer, 1 farther, 0 the same key.
func (k *Key) Compare(a, b *Key) int {
	for i := 0; i < len(k); i += 8 {
		t := binary.BigEndian.Uint64(k[i:])
		da, db := t^binary.BigEndian.Uint64(a[i:]), t^binary.BigEndian.Uint64(b[i:])
		if da != db {
			if da < db {
				return -1
			}
			return 1
		}
	}
	return 0
}

// CommonPrefix is the number of leading bits that two keys share, 0 to 256; of a peer's key and one's own it is the
// bucket that the peer belongs to.
func (k *Key) CommonPrefix(other *Key) int {
	for i := 0; i < len(k); i += 8 {
		if d := binary.BigEndian.Uint64(k[i:]) ^ binary.BigEndian.Uint64(other[i:]); d != 0 {
			return i*8 + bits.LeadingZeros64(d)
		}
	}
	return KeyBits
}

// Prefix64 is the first 64 bits of the key. Among random keys it decides nearly every comparison: two of a million share
// it with a chance of one in 10^7, so tables and lookups carry it inline and look at whole keys only on a tie.
func (k *Key) Prefix64() uint64 { return binary.BigEndian.Uint64(k[:8]) }

// Equal says whether two keys are the same.
func (k *Key) Equal(other *Key) bool { return bytes.Equal(k[:], other[:]) }

func (k Key) String() string { return hex.EncodeToString(k[:]) }
