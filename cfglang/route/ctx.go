package route

import (
	"errors"
	"fmt"
	"net/netip"

	"kahea/cfglang/log"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

// Recv says how a message arrived.
type Recv struct {
	Src   netip.AddrPort
	Dst   netip.AddrPort
	Sock  *Socket
	Proto sipparse.Proto
	Conn  uint32
	Time  int64 // unix ns
}

// ErrInfo is the last internal error: what sl_reply_error and $err tell.
type ErrInfo struct {
	Code         int // SIP status to answer with; 0: none set
	Reason       string
	Number       int // what stands in the reason's parentheses; 0: Code
	Class, Level int
	Info         string
}

// Ctx is one message's way through the script (Kamailio's sip_msg with its processing state).
type Ctx struct {
	P       *Proc
	Msg     sipparse.Msg
	Edits   edit.List
	Scratch Scratch
	Recv    Recv
	ID      uint32 // $mi
	Kind    Mask   // type of the top block that runs
	At      *Spot  // statement that runs, for the log; nil: none
	Flow    Flow
	RC      int64  // $rc
	SFlags  uint32 // script flags ($sf): each top block begins without any; none of what it calls loses its own by that
	Err     ErrInfo

	// Where the request is to go. NewURI nil: as received.
	NewURI []byte
	DstURI []byte
	Path   []byte // Path vector: becomes Route lines
	Main   BranchAttrs
	Q      int // of the R-URI, from lookup(), in thousandths; QUnset: none
	// URIFresh is false once the R-URI was used for a branch or forwarded (Kamailio's ruri_is_new).
	URIFresh bool
	Branches []Branch
	SBranch  Branch // $sbranch; URI nil: it is empty

	Flags  uint32 // $mf
	XFlags uint64
	AVPs   AVPs

	// RR is what record_route() asked for; the lines are made when the destination is known.
	RR RecordRoute

	ForceRPort, AddLocalRPort bool
	SrvID                     bool   // our Via names server_id (via_add_srvid); only of what is sent while this script runs
	AdvHost                   []byte // set_advertised_address
	AdvPort                   uint16
	FwdFlags, RplFlags        SendFlags
	MTUProto                  sipparse.Proto // udp_mtu_try_proto() of this message; ProtoNone: the global parameter

	// Faked: no message of the wire, but one that a module or the core made up.
	Faked bool

	// Trans belongs to tm: the transaction that the message was matched to, its state, the branch.
	Trans       shm.Off
	TransState  uint8
	TransBranch int
	// Armed are the blocks that the script has armed before there is a transaction, by Route.ID, and Times its timers; tm takes them over.
	Armed [4]uint64
	Times Times
	// Reply is the reply that a failure or branch-failure route runs for (nil: a local one), with its code.
	Reply     *sipparse.Msg
	ReplyCode int
	// Send describes what leaves while onsend_route runs.
	Send    *Dest
	dest    Dest
	SendBuf []byte
	// Ext is a small place for the state of modules by number (Proc.Ext), for what lives as long as the message.
	Ext [10]uint64

	keep    func() (release func()) // called when the script waits for the first time
	release func()
	code    int // of the top block

	logging  bool   // Logf evaluates log_prefix
	wire     bool   // the message came in through Receive
	short    bool   // there was no memory to keep the message in: its script can not wait
	refused  bool   // the script was to wait over the bound
	broken   bool   // the script has panicked
	after    bool   // AfterScript runs, or has run
	prefix   []byte // log_prefix as it was when the message came in
	viaNamed bool   // the host of the topmost Via is a name of the sender
	waited   bool   // the script has waited, so Receive knows nothing of its end
	listed   bool   // in Proc.waiting
	key      uint64 // there; 0: not known yet
	alike    *Ctx   // the next one with the same key
	saved    *kept  // variables of the process, while the script waits

	raw      []byte      // the message as received, while event_route[core:msg-received] runs
	selected []selection // instances of configuration groups

	uri      sipparse.URI // parsed current R-URI
	uriText  []byte
	uriState uint8 // 0 not parsed, 1 good, 2 bad
	co       *coroutine
	depth    int
}

func (c *Ctx) reset() {
	c.forget()
	c.Scratch.Reset()
	c.AVPs.Reset()
	c.Msg.Buf = nil
	c.Recv = Recv{}
	c.ID, c.Kind, c.At = 0, 0, nil
	c.Faked = false
	c.Trans, c.TransState, c.TransBranch = 0, 0, 0
	c.Reply, c.ReplyCode = nil, 0
	c.Send, c.SendBuf = nil, nil
	c.raw = nil
	c.Ext = [10]uint64{}
	c.keep, c.release, c.code = nil, nil, 0
	c.prefix = nil
	c.wire, c.short, c.refused, c.waited, c.broken, c.after, c.viaNamed = false, false, false, false, false, false, false
	c.listed, c.key, c.alike, c.saved = false, 0, nil, nil
	c.co, c.depth = nil, 0
}

// forget drops what a script has said of the message, but for its attributes.
func (c *Ctx) forget() {
	c.Edits.Reset()
	c.Branches, c.selected = c.Branches[:0], c.selected[:0]
	c.SBranch = Branch{Q: QUnset}
	c.Flow, c.RC, c.SFlags = 0, 0, 0
	c.Err = ErrInfo{}
	c.NewURI, c.DstURI, c.Path = nil, nil, nil
	c.Main, c.Q = BranchAttrs{}, QUnset
	c.URIFresh = true
	c.Flags, c.XFlags = 0, 0
	c.ForceRPort, c.AddLocalRPort, c.SrvID, c.MTUProto = false, false, false, sipparse.ProtoNone
	c.RR = RecordRoute{}
	c.AdvHost, c.AdvPort = nil, 0
	c.FwdFlags, c.RplFlags = 0, 0
	c.Armed, c.Times = [4]uint64{}, Times{}
	c.uriText, c.uriState = nil, 0
}

// IsRequest says whether the message is a request.
func (c *Ctx) IsRequest() bool { return !c.Msg.Line.IsReply }

// SetError records what sl_reply_error would answer.
func (c *Ctx) SetError(code int, reason string) {
	c.Err.Code, c.Err.Reason, c.Err.Number = code, reason, 0
	if reason == DefaultError {
		c.Err.Number = 1
	}
}

// Failed records an error of sending.
func (c *Ctx) Failed(err error) {
	c.SetError(Status(err))
	if errors.Is(err, ErrNoSocket) {
		c.Err.Number = 7
	}
}

// ErrorReply is the status and reason of the last internal error, with its number and who answers in parentheses, as Kamailio words it.
func (c *Ctx) ErrorReply(who string) (code int, reason []byte) {
	if c.Err.Code == 0 {
		c.SetError(Status(nil))
	}
	n := c.Err.Number
	if n == 0 {
		n = c.Err.Code
	}
	return c.Err.Code, c.Scratch.Concat(c.Scratch.CopyString(c.Err.Reason), []byte(" ("), c.Scratch.Int(int64(n)), []byte("/"), c.Scratch.CopyString(who), []byte(")"))
}

// Error logs an error of the core about this message.
func (c *Ctx) Error(format string, a ...any) { c.Logf(log.Err, "<core>", format, a...) }

// Logf logs at a level with a module's name and the statement's place in the configuration; it formats only when the level is in force.
func (c *Ctx) Logf(v log.Level, module, format string, a ...any) {
	if !c.P.Log.On(v) {
		return
	}
	x := log.Line{Level: v, Where: module + ": "}
	if c.At != nil {
		x.File, x.Number, x.Place = c.At.File, c.At.Line, true
	}
	if !c.logging { // log_prefix may have something to complain of itself
		c.logging = true
		x.Prefix = c.LogPrefix()
		c.logging = false
	}
	c.P.Log.Write(&x, fmt.Appendf(nil, format, a...))
}

// LogPrefix is the evaluated log_prefix, or nil.
func (c *Ctx) LogPrefix() []byte {
	p := &c.P.Par
	if p.LogPrefix == nil || c.Faked && p.LogPrefixMode&2 == 0 {
		return nil
	}
	if p.LogPrefixMode&1 == 0 && c.prefix != nil {
		return c.prefix
	}
	b, _ := p.LogPrefix.Eval(c)
	return b
}

// keepPrefix evaluates log_prefix for the whole message, unless each line is to have its own.
func (c *Ctx) keepPrefix() {
	if p := &c.P.Par; p.LogPrefix != nil && p.LogPrefixMode&1 == 0 {
		b, _ := p.LogPrefix.Eval(c)
		c.prefix = c.Scratch.Copy(b)
	}
}

// Times are the times of a transaction in milliseconds; 0 is not set.
type Times struct {
	FR, FRInv     uint32 // final response
	Retr1, Retr2  uint32 // retransmission
	Life, LifeInv uint32
}

// Merge takes over what is set in x.
func (t *Times) Merge(x Times) {
	for _, p := range [...]struct {
		dst *uint32
		v   uint32
	}{{&t.FR, x.FR}, {&t.FRInv, x.FRInv}, {&t.Retr1, x.Retr1}, {&t.Retr2, x.Retr2}, {&t.Life, x.Life}, {&t.LifeInv, x.LifeInv}} {
		if p.v != 0 {
			*p.dst = p.v
		}
	}
}
