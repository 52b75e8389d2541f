package edit

import (
	"net/netip"

	"kahea/sipparse"
)

// Anchor says which header a piece of text belongs to, so that later edits and tm can find and drop it (Kamailio's lump type).
type Anchor = sipparse.HdrType

// List is the pending changes (Kamailio's lumps) of one message: removals of ranges and insertions at offsets, applied
// together by the builders. The message itself is never changed. A List is reused; texts are copied into its own arena.
type List struct{}

func (l *List) Reset()      { panic("todo") }
func (l *List) Empty() bool { panic("todo") }

// Remove drops buf[off:off+n]. Overlapping removals merge.
func (l *List) Remove(off, n uint32, t Anchor) { panic("todo") }

// InsertBefore / InsertAfter put text at off. Of several before one offset the last added stands first (as insert_hf);
// of several after one offset the first added stands first (as append_hf).
func (l *List) InsertBefore(off uint32, text []byte, t Anchor) { panic("todo") }
func (l *List) InsertAfter(off uint32, text []byte, t Anchor)  { panic("todo") }

// Replace is Remove and InsertAfter of the same range.
func (l *List) Replace(off, n uint32, text []byte, t Anchor) { panic("todo") }

// Removed says whether the byte at off is dropped by a removal.
func (l *List) Removed(off uint32) bool { panic("todo") }

// DropInserts forgets insertions with anchor t (remove_record_route) and returns how many.
func (l *List) DropInserts(t Anchor) int { panic("todo") }

// HasInsert says whether an insertion with anchor t is pending.
func (l *List) HasInsert(t Anchor) bool { panic("todo") }

// EachInsert walks insertions with anchor t in output order; f may replace the text by returning a new one.
func (l *List) EachInsert(t Anchor, f func(text []byte) (replace []byte)) { panic("todo") }

// Reply lumps: text added to locally generated replies (append_to_reply), and the body of such a reply.
func (l *List) AddReplyHeader(text []byte)      { panic("todo") }
func (l *List) SetReplyBody(body, ctype []byte) { panic("todo") }
func (l *List) ReplyHeaders() []byte            { panic("todo") }
func (l *List) ReplyBody() (body, ctype []byte) { panic("todo") }

// SetBody replaces the whole body of the forwarded message (set_body); Content-Length is corrected, Content-Type is the caller's edit.
func (l *List) SetBody(body []byte) { panic("todo") }

// AppendBinary and Load carry a list to shared memory and back (tm keeps the request's edits for later branches).
func (l *List) AppendBinary(dst []byte) []byte { panic("todo") }
func (l *List) Load(b []byte) error            { panic("todo") }

// CopyFrom makes l equal to o.
func (l *List) CopyFrom(o *List) { panic("todo") }

// Apply appends src with the edits applied and nothing else added (msg_apply_changes without URI changes).
func (l *List) Apply(dst, src []byte) []byte { panic("todo") }

// ViaOpts is our own Via (core.md 9.2).
type ViaOpts struct {
	Proto      sipparse.Proto
	Host       []byte // as it is to stand there, IPv6 in brackets
	Port       uint16 // printed unless 5060 or PortAlways
	PortAlways bool
	Branch     []byte // full value, from z9hG4bK
	ConnID     uint32 // ;i= reverse hex, 0 = none
	RPort      bool
	Extra      []byte // further parameters with their ';'
}

func AppendVia(dst []byte, o *ViaOpts) []byte { panic("todo") } // "Via: ...CRLF"

// AppendBranch appends z9hG4bK + rhex(hash) + "." + md5hex + "." + rhex(index) (core.md 9.2).
func AppendBranch(dst []byte, hash uint32, md5hex []byte, index uint32) []byte { panic("todo") }

// BranchMD5 is char_msg_val of Kamailio: md5 hex over From tag, To tag (not for INVITE/ACK/CANCEL), Call-ID, R-URI as received, CSeq number, top Via host, port text, branch.
func BranchMD5(m *sipparse.Msg) (hex [32]byte, e sipparse.Err) { panic("todo") }

// Hash2 is Kamailio's hash of two strings (hash.h: new_hash2 before masking); CoreHash is core_hash. Both are checked against the real thing.
func Hash2(a, b []byte) uint32                 { panic("todo") }
func CoreHash(a, b []byte, size uint32) uint32 { panic("todo") }

// Received describes what goes into the sender's Via when a request is forwarded, or into the reply's top Via.
type Received struct {
	Src        netip.AddrPort
	ForceRPort bool // force_rport()
}

// RequestOpts are what forwarding needs beyond the message and its edits.
type RequestOpts struct {
	RURI []byte   // nil: as received
	Via  *ViaOpts // nil: no Via is added
	Recv Received
	Path []byte // Route header lines to put in front (Path vector), whole lines
	CLen CLen
}

// CLen is the rule for Content-Length (core.md 9.2): UDP corrects only if the body or header was changed, never adds; streams always.
type CLen uint8

const (
	CLenDatagram CLen = iota
	CLenStream
)

// AppendRequest appends the forwarded request.
func AppendRequest(dst []byte, m *sipparse.Msg, l *List, o *RequestOpts) ([]byte, sipparse.Err) {
	panic("todo")
}

// AppendForwardReply appends the reply with its top via-parm removed, edits applied (core.md 9.3). code/reason replace the status line's if code != 0.
func AppendForwardReply(dst []byte, m *sipparse.Msg, l *List, c CLen, code int, reason []byte) ([]byte, sipparse.Err) {
	panic("todo")
}

// ReplyOpts describe a locally generated reply (core.md 9.4).
type ReplyOpts struct {
	Code    int
	Reason  []byte
	ToTag   []byte // appended to To when it has none; nil: none
	Recv    Received
	Server  []byte // whole line without CRLF; nil: none
	Warning []byte // whole line without CRLF; nil: none
}

// AppendReply appends the reply to request m: copied fields in the order of the request, reply lumps of l, Server, Content-Length and body.
func AppendReply(dst []byte, m *sipparse.Msg, l *List, o *ReplyOpts) ([]byte, sipparse.Err) {
	panic("todo")
}

// AppendLocalACK and AppendLocalCANCEL build from the request as it was sent on a branch (its buffer out, parsed as m): hop-by-hop ACK for a negative
// final reply (To taken from the reply), and CANCEL (first Via of ours, From, To, Call-ID, CSeq number, Route set, Max-Forwards as tm builds them).
func AppendLocalACK(dst []byte, out *sipparse.Msg, to []byte) []byte                  { panic("todo") }
func AppendLocalCANCEL(dst []byte, out *sipparse.Msg, to []byte, extra []byte) []byte { panic("todo") } // to nil: the request's own; extra: whole lines (Reason)
