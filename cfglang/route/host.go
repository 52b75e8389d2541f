package route

import (
	"net/netip"

	"kahea/sipparse"
)

// SendFlags are the flags of a destination (Kamailio's snd_flags).
type SendFlags uint8

const (
	SendClose SendFlags = 1 << iota
	SendNoConnect
)

// Dest is where a message goes.
type Dest struct {
	Proto sipparse.Proto
	Addr  netip.AddrPort
	Sock  *Socket // from where
	Conn  uint32  // TCP connection to prefer, 0 = none
	Flags SendFlags
}

// Name is what Host.Resolve looks up.
type Name struct {
	Host   []byte         // valid during the call
	Port   uint16         // 0: was not said, so that SRV records count
	Proto  sipparse.Proto // the transport
	Any    bool           // was not said: NAPTR records may choose
	V4, V6 bool           // families that there are sockets for
	Tried  []Place        // places that are passed over
}

// Place is where a name leads.
type Place struct {
	Addr  netip.AddrPort
	Proto sipparse.Proto
}

// Host is the process around the engine. All methods are called on the loop.
type Host interface {
	// Buffer is an empty buffer (cap 65535 at least) to build one message in; it is valid until the next Send or Buffer.
	Buffer() []byte
	// Send sends b, or queues it; b may be the Buffer and may be reused when Send returned. An error is what the kernel or the connection
	// table says at once (no such connection, no route).
	Send(d Dest, b []byte) error
	// Await runs wait on another goroutine and then done on the loop.
	Await(wait func(), done func())
	// Resolve says where a name leads (RFC 3263) as far as that is known (hosts file, cache): known with an address that is not valid means nowhere. When it is not
	// known, lookup asks and has to be awaited.
	Resolve(n Name) (p Place, known bool, lookup func() (Place, error))
	// HasName asks whether host is one of the names that addr has (rev_dns). It waits, so it runs in Await.
	HasName(addr netip.Addr, host string) bool
	// AddAlias makes a TCP connection reachable at its peer's address with another port too.
	AddAlias(conn uint32, port uint16) error
	// CloseConn closes a TCP connection when what was sent over it so far is written.
	CloseConn(conn uint32) error
	// HasConn says whether a TCP connection is there.
	HasConn(conn uint32) bool
	// Now is the time of the current wake-up, unix nanoseconds.
	Now() int64
	// Ticks is the timer clock: 1/16 s, the same in all processes.
	Ticks() uint64
}
