package route

import (
	"kahea/cfglang/log"
	"kahea/shm"
	"kahea/sipparse"
)

// Proc is what one process knows while it runs: it is filled by the process's boot code before the first message and then belongs to
// the loop.
type Proc struct {
	Rank    int
	Slot    int // index in the process table
	Host    Host
	Net     *Net
	Log     *log.Logger
	Arena   *shm.Arena
	Wheel   shm.Wheel // this process's timing wheel
	Counts  *shm.Counters
	Runner  Runner
	Mem     Memory
	Prog    *Program
	Par     Params
	Vars    Vars // $var and its kin
	Stat    CoreStats
	Started int64 // unix ns, of the server
	blocks  *Blocklist
	// Reloaded: this generation follows another one in the same process; that one's scripts may still run, so nothing of this slot is a dead predecessor's.
	Reloaded bool

	// OnRequest and OnReply run before the script (tm, acc, ...); false drops the message. AfterScript runs behind it, always.
	// Responses are the modules' reply functions, last loaded first: false means consumed.
	OnRequest, OnReply []func(c *Ctx) bool
	AfterScript        []func(c *Ctx)
	Responses          []func(c *Ctx) bool
	// Unavailable may answer a request that can not be handled now (503) in another way than statelessly, which is what becomes of it if none returns true.
	Unavailable []func(c *Ctx, reason []byte) bool
	// Absorbed is told of a retransmission of the request in c, whose script waits.
	Absorbed []func(c *Ctx)
	// Suspending is told of a request of the wire whose script is about to wait: the process may die before it goes on, so nothing may be held for it in shared memory
	// that a successor does not find. Woken is told when it goes on.
	Suspending, Woken []func(c *Ctx)
	// SendFailed is told of a message that could not be sent after Host.Send had taken it (a connect that was refused); b is valid during the call.
	SendFailed []func(b []byte)

	// Incoming sees what was received before it counts as parsed and returns what is to be taken for it; it runs as the message's script does. Nil: nobody looks.
	Incoming func(c *Ctx, b []byte) []byte
	// Outgoing sees what Host.Send is given and returns what is to be sent, in the host's buffer or b itself; nil: b. It may not wait. The host calls it. Nil: nobody looks.
	Outgoing func(d Dest, b []byte) []byte

	// RecordRoute makes the Record-Route lines of a request that leaves by the socket out (module rr).
	RecordRoute func(c *Ctx, out *Socket) []byte

	timers     [64]TimerHandler
	fired      func(o shm.Off, k shm.Kind, deaths int) // bound once
	free       []*Ctx
	msgID      uint32
	body, done func(c *Ctx)
	rawBody    func(c *Ctx) // with received_route_mode
	broken     func(c *Ctx) // body of what can not be parsed
	lastCode   int          // of the message that ended last
	waiting    *waiting
	suspended  *int64    // scripts that wait, in shared memory
	tag        TagPrefix // of the stateless 503
	events     struct{ received, preRouting, parseError *Route }
}

// Params are the core parameters that the engine itself reads, copied from the table in package core.
type Params struct {
	ServerSignature bool
	ServerHeader    []byte // whole line without line end; nil: default, empty: none
	UserAgentHeader []byte
	SIPWarning      bool
	ParserLenient   bool
	Grammar         *sipparse.Grammar // nil: the plain one
	HTTPReplies     bool              // http_reply_parse
	ForceRPort      bool
	LocalRPort      bool
	CheckVia        bool
	ReplyToVia      bool
	MaxWhileLoops   int
	MaxRecursive    int
	MaxBranches     int
	Block           BlockParams    // destinations that do not work
	DNSFailover     bool           // the next place of a name is tried when one fails (use_dns_failover)
	UDPMTU          int            // bytes; 0: off
	UDPMTUProto     sipparse.Proto // of requests over UDPMTU
	AcceptAliases   bool
	AdvHost         []byte
	AdvPort         uint16
	ParserLog       log.Level
	ParserOneLine   bool // sip_parser_log_oneline
	CoreLog         log.Level
	LogPrefixMode   int
	// how long blocks and statements take: levels, and microseconds from which they are logged (0: blocks always, statements never)
	LatencyCfgLog, LatencyLog           log.Level
	LatencyLimitCfg, LatencyLimitAction int
	LogPrefix                           *Format
	OnSendReply                         bool
	ServerID                            int
	IUID                                []byte // coreparam[iuid]; nil: none
	RevDNS                              bool   // rev_dns
	ReceivedRoute                       bool   // received_route_mode
	Phone2Tel                           bool
	Refusal                             Refusal
}

// CoreStats are the counters of group core that the engine moves.
type CoreStats struct {
	RcvRequests, RcvReplies, FwdRequests, FwdReplies, DropRequests, DropReplies, ErrRequests, ErrReplies shm.Counter
	BadURIs, UnsupportedMethods, BadMsgHdr                                                               shm.Counter
	Suspended, SuspendRefused, SuspendAbsorbed, SuspendedLost                                            shm.Counter
	Panics                                                                                               shm.Counter
	TimerPanics, TimersResumed, TimersQuarantined                                                        shm.Counter
	Methods                                                                                              [16]shm.Counter // rcv_requests_invite ... by bit of Method
	ReplyClass                                                                                           [7]shm.Counter  // rcv_replies_1xx ...
	Reply18x                                                                                             shm.Counter
	ReplyCodes                                                                                           [len(statCodes)]shm.Counter      // rcv_replies_401 ...
	ReplyMethods                                                                                         [7][len(statMethods)]shm.Counter // rcv_replies_2xx_invite ... by class
}

// Count adds one to a counter.
func (p *Proc) Count(k shm.Counter) { p.Counts.Add(k, 1) }

// Get takes a Ctx from the pool, emptied.
func (p *Proc) Get() *Ctx {
	var c *Ctx
	if n := len(p.free); n > 0 {
		c = p.free[n-1]
		p.free = p.free[:n-1]
	} else {
		c = &Ctx{P: p}
		c.Scratch.Mem = p.Mem
		c.reset()
	}
	c.Msg.Lenient, c.Msg.HTTPReplies, c.Msg.Grammar = p.Par.ParserLenient, p.Par.HTTPReplies, p.Par.Grammar
	return c
}

// Put gives a Ctx back.
func (p *Proc) Put(c *Ctx) {
	c.reset()
	if len(p.free) < 256 {
		p.free = append(p.free, c)
		return
	}
	c.Scratch.Close()
}

// Continue takes over from the generation before what must go on: the numbers of messages, and the requests that wait, for their retransmissions come here.
func (p *Proc) Continue(before *Proc) { p.msgID, p.waiting = before.msgID, before.waiting }

// Close ends the coroutines; no script may be running or suspended.
func (p *Proc) Close() { p.Runner.Close() }

// NextID numbers messages ($mi).
func (p *Proc) NextID() uint32 { p.msgID++; return p.msgID }

// MyselfURI says whether u (of text b) is this server: host, port (defaulted by scheme or transport).
func (p *Proc) MyselfURI(u *sipparse.URI, b []byte) bool {
	if u.Host.Empty() {
		return false
	}
	port := u.Port
	if port == 0 {
		port = DefaultPort(u)
	}
	return p.Net.IsMyself(u.Host.In(b), port, sipparse.ProtoNone)
}

// DefaultPort is 5061 for sips and TLS, else 5060.
func DefaultPort(u *sipparse.URI) uint16 {
	if u.Scheme == sipparse.SchemeSIPS || u.Proto == sipparse.TLS {
		return 5061
	}
	return 5060
}
