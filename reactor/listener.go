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
	Workers int  // UDP workers of this socket
	Gone    bool // not served any more; it keeps its index
}

// Options are the core parameters that concern sockets.
type Options struct {
	RcvBuf     int // maxbuffer, bytes asked for by SO_RCVBUF when the system's default is smaller; 0: the system's default
	SndBuf     int // maxsndbuffer, the same for SO_SNDBUF
	TOS        int // 0: untouched
	FreeBind   bool
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
	TCPBacklog                               int // default 1024
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
