package reactor

import (
	"net/netip"
	"time"

	"kahea/sipparse"
)

// Listener is one socket of the configuration, already resolved. Its index in the list is its identity everywhere.
type Listener struct {
	Proto   sipparse.Proto
	Addr    netip.AddrPort
	Workers int    // UDP workers of this socket
	Device  string // SO_BINDTODEVICE: the device (vrf) that it belongs to, "": none
	Mcast   string // of a multicast address: the interface that joins the group, "": the kernel's choice
	Gone    bool   // not served any more; it keeps its index
}

// Options are the core parameters that concern sockets.
type Options struct {
	RcvBuf     int // maxbuffer, bytes asked for by SO_RCVBUF when the system's default is smaller; 0: the system's default
	SndBuf     int // maxsndbuffer, the same for SO_SNDBUF
	TOS        int // 0: untouched
	FreeBind   bool
	PMTU       int // pmtu_discovery: 0 none, 1 never fragment, 2 as the path allows
	McastLoop  bool
	McastTTL   int   // negative: the system's
	UDPProxy   int   // udp_accept_proxy: UDPProxyHAProxy, UDPProxySimple, both; it does not change
	Batch      int   // datagrams a recvmmsg/sendmmsg (tuning key), default 32, at most 256
	MaxMessage int   // msg_recv_max_size, default 32767; longer ones are dropped and counted
	IdleAfter  int64 // ns without traffic before the worker gives its P away while it waits, default 20 ms; negative: always at once

	TCPLifetime                              int // seconds, default 120
	TCPMaxConns                              int // default 2048
	TCPConnectTimeout, TCPSendTimeout        int // seconds, default 10
	TCPRdBuf                                 int // default 16384: longest message
	TCPConnWQMax, TCPWQMax                   int // bytes, defaults 32768 and 10 MB
	TCPAcceptNoCL, TCPCRLFPing, TCPNoConnect bool
	TCPKeepalive                             bool
	TCPKeepIdle, TCPKeepIntvl, TCPKeepCnt    int // seconds, seconds, number; 0: the system's
	TCPSynCnt, TCPLinger2                    int // number, seconds; 0: the system's
	TCPDeferAccept                           int // seconds, 0: off
	TCPDelayedAck                            bool
	TCPBacklog                               int // default 1024
	TCPReusePort                             bool
	TCPSource                                [2]netip.Addr // of connections to IPv4 and IPv6 peers; not valid: the send socket's
	TCPConnMatch                             bool          // look first for a connection of the send socket
	TCPUnique                                bool
	TCPIPLimit                               int // accepted connections from one address, 0 or less: any number
	TCPCloseRST                              bool
	TCPHAProxy                               bool // an accepted connection may begin with a PROXY header
	TCPWaitData                              int  // ms until that must be there
	TCPReadTimeout, TCPDataTimeout           int  // seconds until a message must be whole, the first one must begin; 0: any time
	TCPCheck                                 int  // seconds between looks at these, 0: never
}

func (o Options) withDefaults() Options {
	def := func(p *int, v int) {
		if *p == 0 {
			*p = v
		}
	}
	def(&o.Batch, 32)
	o.Batch = min(o.Batch, maxBatch)
	def(&o.MaxMessage, 32767)
	if o.IdleAfter == 0 {
		o.IdleAfter = int64(20 * time.Millisecond)
	}
	def(&o.TCPLifetime, 120)
	def(&o.TCPMaxConns, 2048)
	def(&o.TCPConnectTimeout, 10)
	def(&o.TCPSendTimeout, 10)
	def(&o.TCPRdBuf, 16384)
	def(&o.TCPConnWQMax, 32768)
	def(&o.TCPWQMax, 10<<20)
	def(&o.TCPBacklog, 1024)
	return o
}

const maxBatch = 256
