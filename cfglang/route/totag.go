package route

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"

	"kahea/sipparse"
)

// TagPrefix is the constant part of the To tags that a module makes: md5 hex of its signature and the first socket, and a
// separator. Replies and ACKs are recognised by it, also after a restart.
type TagPrefix [33]byte

// The signatures and separators of Kamailio's sl and tm; a fleet that is moved over node by node keeps recognising each other's tags.
const (
	SLSignature = "KAMAILIO-stateless"
	TMSignature = "SER-TM/tags"
)

// NewTagPrefix makes the prefix of signature for the first listening socket.
func NewTagPrefix(signature string, s *Socket, sep byte) (p TagPrefix) {
	sum := md5.Sum(fmt.Appendf(nil, "%s%s%d", signature, s.Addr.Addr(), s.Addr.Port()))
	hex.Encode(p[:], sum[:])
	p[32] = sep
	return p
}

// ToTag is the whole tag for a reply to the request: the prefix and two CRCs of the sender's Via and the Call-ID.
func (c *Ctx) ToTag(p *TagPrefix) []byte {
	b := c.Scratch.Tail(len(p) + 8)
	v, e := c.Msg.Via1()
	if b == nil || e != sipparse.OK {
		return nil
	}
	host, port := c.Msg.Bytes(v.Host), c.Msg.Bytes(v.PortText)
	b = append(b, p[:]...)
	b = appendCRC(b, x25(x25(x25(0xffff, host), port), c.Msg.Bytes(v.Branch)))
	b = appendCRC(b, x25(x25(x25(0xffff, port), host), c.Msg.CallID()))
	return c.Scratch.Keep(b)
}

// IsOurTag says whether tag was made with the prefix.
func (p *TagPrefix) IsOurTag(tag []byte) bool {
	return len(tag) >= len(p) && string(tag[:len(p)]) == string(p[:])
}

// appendCRC prints the inverted sum as four hex digits, least significant first.
func appendCRC(b []byte, crc uint16) []byte {
	crc = ^crc
	const digits = "0123456789abcdef"
	return append(b, digits[crc&15], digits[crc>>4&15], digits[crc>>8&15], digits[crc>>12])
}

// x25 is CRC-16/X-25 without the final inversion.
func x25(crc uint16, b []byte) uint16 {
	for _, c := range b {
		crc = crc>>8 ^ x25Table[byte(crc)^c]
	}
	return crc
}

var x25Table = func() (t [256]uint16) {
	for i := range t {
		crc := uint16(i)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0x8408
			} else {
				crc >>= 1
			}
		}
		t[i] = crc
	}
	return t
}()
