package route

import (
	"net/netip"

	"kahea/sipparse"
)

// ResolveHost is an address of a host, of the family that is asked for. The script waits for it when it is not known.
func (c *Ctx) ResolveHost(host []byte, v6 bool) (netip.Addr, error) {
	p, err := c.locate(Name{Host: host, Port: 5060, Proto: sipparse.UDP, V4: !v6, V6: v6}) // a name with a port has addresses only
	return p.Addr.Addr(), err
}
