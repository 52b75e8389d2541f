package sipparse

import (
	"bytes"
	"math"
)

// maxKeptHdrs bounds the capacity of Msg.Hdrs between messages: one hostile message must not make every later one heavy.
const maxKeptHdrs = 512

// maxContentLength is the highest Content-Length that Kamailio takes.
const maxContentLength = 2147483639

// Msg is a parsed message: offsets into Buf, which it borrows and never changes. A Msg is reused; its slices keep their
// capacity (bounded). Values parsed on demand are kept until the next Parse.
type Msg struct {
	Buf         []byte
	Line        FirstLine
	Hdrs        []Hdr
	HdrEnd      uint32         // behind the last header field, where the empty line begins: append_hf puts text there
	BodyOff     uint32         // behind the empty line; len(Buf) if there is none
	Lenient     bool           // sip_parser_mode=0: duplicates of single-occurrence fields keep the first
	HTTPReplies bool           // http_reply_parse=yes: "HTTP/1.1 200 OK" is a reply
	Grammar     *Grammar       // of all that is parsed of it
	first, last [NumHdr]uint16 // index in Hdrs + 1, 0 if absent
	bad         Err            // what stopped the walk over header fields behind the mandatory ones
	noEOH       bool
	done        uint16 // bit per value below: it has been parsed
	errs        [nVals]Err
	clen        int
	via1, via2  Via
	from, to    NameAddr
	fromURI     URI
	toURI       URI
	ruri        URI
	cseq        CSeq
}

// Values that are parsed on demand.
const (
	vVia2 = iota
	vFrom
	vTo
	vFromURI
	vToURI
	vCSeq
	vRURI
	nVals
)

// Parse reads the first line and locates every header field (types, folds, end), and parses every Via and the Content-Length.
// Behaviour of Kamailio: leading CR LF NUL TAB SP skipped, ... It does not parse From etc.
// An error behind Via, From, To, Call-ID and CSeq does not fail Parse, as Kamailio reads on only when it is asked to: see Complete.
// A message without Via passes unless it is SIP; buf is borrowed until the next Parse.
func (m *Msg) Parse(buf []byte) Err {
	if cap(m.Hdrs) > maxKeptHdrs {
		m.Hdrs = nil
	}
	m.Buf = buf
	m.Hdrs = m.Hdrs[:0]
	m.first = [NumHdr]uint16{}
	m.last = [NumHdr]uint16{}
	m.bad, m.noEOH, m.done = OK, true, 0
	m.clen = -1
	m.via2.Whole.Len = 0
	m.BodyOff = uint32(len(buf))
	m.HdrEnd = m.BodyOff
	if uint64(len(buf)) > math.MaxInt32 {
		return ErrTooBig
	}
	i := 0
skip:
	for ; i < len(buf); i++ {
		switch buf[i] {
		case '\r', '\n', 0, '\t', ' ':
		default:
			break skip
		}
	}
	if e := m.Line.parse(buf, i, m.HTTPReplies); e != OK {
		return e
	}
	if e := m.scan(buf, int(m.Line.End)); e != OK {
		if !m.has4() || m.first[HdrVia] == 0 {
			return e
		}
		m.bad = e
	}
	if m.first[HdrVia] == 0 && m.Line.IsSIP {
		return ErrNoVia
	}
	return OK
}

func (m *Msg) has4() bool {
	return m.first[HdrFrom] != 0 && m.first[HdrTo] != 0 && m.first[HdrCallID] != 0 && m.first[HdrCSeq] != 0
}

// scan walks the header fields from offset i on.
func (m *Msg) scan(buf []byte, i int) Err {
	n := len(buf)
	names := m.Grammar.table()
	hdrs := m.Hdrs
	var h Hdr
	for i < n {
		c := buf[i]
		if c == '\n' || c == '\r' {
			// an empty line; a lone CR passes for one
			m.HdrEnd = uint32(i)
			if c == '\r' && i+1 < n && buf[i+1] == '\n' {
				i++
			}
			m.BodyOff, m.noEOH = uint32(i+1), false
			break
		}
		j := i
		for j < n && names[buf[j]]&isName != 0 {
			j++
		}
		if j == i || j >= n {
			m.Hdrs = hdrs
			return ErrHeaderName
		}
		h.Off = uint32(i)
		h.Name = Span{uint32(i), uint32(j - i)}
		h.Type = typeOf(buf[i:], j-i)
		if buf[j] != ':' {
			if j = skipBlank(buf, j, n); j >= n || buf[j] != ':' {
				m.Hdrs = hdrs
				return ErrHeaderName
			}
		}
		j++
		for j < n && class[buf[j]]&isBlank != 0 {
			j++
		}
		k := j
		for {
			nl := bytes.IndexByte(buf[k:], '\n')
			if nl < 0 {
				m.Hdrs = hdrs
				return ErrHeader
			}
			k += nl + 1
			if k >= n || class[buf[k]]&isBlank == 0 {
				break
			}
		}
		h.End = uint32(k)
		i = k
		// white space at both ends of the body
		k--
		for k > j && class[buf[k-1]]&isLWS != 0 {
			k--
		}
		for j < k && class[buf[j]]&isLWS != 0 {
			j++
		}
		h.Body = Span{uint32(j), uint32(k - j)}
		if int(h.End)-k > 2 && strayCR(buf[k:h.End]) {
			switch h.Type {
			case HdrVia, HdrTo, HdrCSeq, HdrContentLength:
				m.Hdrs = hdrs
				return ErrHeader
			}
		}
		if len(hdrs) == math.MaxUint16 {
			m.Hdrs = hdrs
			return ErrTooBig
		}
		h.Next = -1
		hdrs = append(hdrs, h)
		x := int32(len(hdrs))
		t := h.Type
		prev := m.last[t]
		m.last[t] = uint16(x)
		if prev != 0 {
			hdrs[prev-1].Next = x - 1
		} else {
			m.first[t] = uint16(x)
		}
		var e Err
		switch t {
		case HdrVia:
			e = m.vias(h.Body, x-1, prev == 0)
		case HdrContentLength:
			if prev == 0 {
				if v, ok := number(buf[j:k], maxContentLength); ok {
					m.clen = int(v)
				} else {
					e = ErrContentLength
				}
			} else if !m.Lenient {
				e = ErrDuplicate
			}
		case HdrFrom, HdrTo, HdrCallID, HdrCSeq:
			if prev != 0 && !m.Lenient {
				e = ErrDuplicate
			}
		case HdrMaxForwards:
			if prev != 0 {
				e = ErrDuplicate
			}
		}
		if e != OK {
			// the field is not there for those who go on without it
			m.Hdrs = hdrs[:x-1]
			m.last[t] = prev
			if prev != 0 {
				hdrs[prev-1].Next = -1
			} else {
				m.first[t] = 0
			}
			return e
		}
	}
	m.Hdrs = hdrs
	return OK
}

// strayCR says whether b holds a CR that belongs to no line end.
func strayCR(b []byte) bool {
	for i, c := range b {
		if c == '\r' && (i+1 == len(b) || b[i+1] != '\n') {
			return true
		}
	}
	return false
}

// vias parses all via-parms of one field; the first two of the message are kept.
func (m *Msg) vias(at Span, hdr int32, first bool) Err {
	if at.Len == 0 {
		return ErrVia
	}
	var other Via
	for at.Len > 0 {
		v := &other
		switch {
		case first:
			v = &m.via1
		case m.via2.Whole.Len == 0:
			v = &m.via2
		}
		if e := ParseVia(m.Buf, at, v); e != OK {
			v.Whole.Len = 0
			if m.via2.Hdr == hdr {
				m.via2.Whole.Len = 0 // it stood in the same field
			}
			return e
		}
		v.Hdr = hdr
		first = false
		at = v.Rest
	}
	return OK
}

// Complete says whether all header fields up to the empty line or the end of the buffer could be read; if not, Hdrs ends with the
// one before the error. (Kamailio: parse_headers up to HDR_EOH; a message can be relayed without it.)
func (m *Msg) Complete() Err { return m.bad }

// Mandatory checks From, To, Call-ID, CSeq (the second step of 9.1) and says which failed. From needs only to be there, as in
// Kamailio: what is wrong inside of it comes up when somebody asks for From.
func (m *Msg) Mandatory() Err {
	if m.first[HdrFrom] == 0 {
		return ErrNoFrom
	}
	if _, e := m.To(); e != OK {
		return e
	}
	if m.first[HdrCallID] == 0 {
		return ErrNoCallID
	}
	_, e := m.CSeq()
	return e
}

// Bytes is the text of s.
func (m *Msg) Bytes(s Span) []byte { return s.In(m.Buf) }

// First is the first field of type t, nil if there is none.
func (m *Msg) First(t HdrType) *Hdr {
	if x := m.first[t]; x != 0 {
		return &m.Hdrs[x-1]
	}
	return nil
}

// Last is the last field of type t, nil if there is none.
func (m *Msg) Last(t HdrType) *Hdr {
	if x := m.last[t]; x != 0 {
		return &m.Hdrs[x-1]
	}
	return nil
}

// NextOf is the next field of the type of h, nil if there is none.
func (m *Msg) NextOf(h *Hdr) *Hdr {
	if h.Next < 0 {
		return nil
	}
	return &m.Hdrs[h.Next]
}

// Find is the first field of that name, case-insensitive, compact and long form alike.
func (m *Msg) Find(name []byte) *Hdr {
	t := LookupHdr(name)
	h := m.First(t)
	if t != HdrOther {
		return h
	}
	for h != nil && !equalFoldBytes(h.Name.In(m.Buf), name) {
		h = m.NextOf(h)
	}
	return h
}

// FindNext is the next field of the same name as h.
func (m *Msg) FindNext(h *Hdr) *Hdr {
	if h.Type != HdrOther {
		return m.NextOf(h)
	}
	name := h.Name.In(m.Buf)
	for h = m.NextOf(h); h != nil && !equalFoldBytes(h.Name.In(m.Buf), name); {
		h = m.NextOf(h)
	}
	return h
}

// Via1 is the first via-parm.
func (m *Msg) Via1() (*Via, Err) {
	if m.first[HdrVia] == 0 {
		return nil, ErrNoVia
	}
	return &m.via1, OK
}

// Via2 is the second via-parm, in the same field or in the next one; ErrNoVia if there is none.
func (m *Msg) Via2() (*Via, Err) {
	if m.via2.Whole.Len == 0 {
		return nil, ErrNoVia
	}
	return &m.via2, OK
}

// once marks value v as parsed and says whether it was already.
func (m *Msg) once(v uint) bool {
	was := m.done>>v&1 != 0
	m.done |= 1 << v
	return was
}

// From is the parsed From.
func (m *Msg) From() (*NameAddr, Err) {
	if !m.once(vFrom) {
		m.errs[vFrom] = m.address(HdrFrom, &m.from, ErrNoFrom, ErrFrom)
	}
	if e := m.errs[vFrom]; e != OK {
		return nil, e
	}
	return &m.from, OK
}

// To is the parsed To.
func (m *Msg) To() (*NameAddr, Err) {
	if !m.once(vTo) {
		m.errs[vTo] = m.address(HdrTo, &m.to, ErrNoTo, ErrTo)
	}
	if e := m.errs[vTo]; e != OK {
		return nil, e
	}
	return &m.to, OK
}

func (m *Msg) address(t HdrType, n *NameAddr, missing, bad Err) Err {
	h := m.First(t)
	if h == nil {
		return missing
	}
	if n.ParseTo(m.Buf, h.Body) != OK {
		return bad
	}
	return OK
}

// FromURI is the parsed URI of From and its text.
func (m *Msg) FromURI() (*URI, []byte, Err) {
	n, e := m.From()
	if e != OK {
		return nil, nil, e
	}
	return m.uri(vFromURI, n.URI, &m.fromURI)
}

// ToURI is the parsed URI of To and its text.
func (m *Msg) ToURI() (*URI, []byte, Err) {
	n, e := m.To()
	if e != OK {
		return nil, nil, e
	}
	return m.uri(vToURI, n.URI, &m.toURI)
}

// RURI is the parsed URI of the request line and its text; ErrURI for replies.
func (m *Msg) RURI() (*URI, []byte, Err) {
	if m.Line.IsReply {
		return nil, nil, ErrURI
	}
	return m.uri(vRURI, m.Line.URI, &m.ruri)
}

// uri gives the text also when it does not parse.
func (m *Msg) uri(v uint, at Span, u *URI) (*URI, []byte, Err) {
	text := at.In(m.Buf)
	if !m.once(v) {
		m.errs[v] = m.Grammar.ParseURI(text, u)
	}
	if e := m.errs[v]; e != OK {
		return nil, text, e
	}
	return u, text, OK
}

// CSeq is the parsed CSeq.
func (m *Msg) CSeq() (*CSeq, Err) {
	if !m.once(vCSeq) {
		if h := m.First(HdrCSeq); h == nil {
			m.errs[vCSeq] = ErrNoCSeq
		} else {
			m.errs[vCSeq] = ParseCSeq(m.Buf, h.Body, &m.cseq)
		}
	}
	if e := m.errs[vCSeq]; e != OK {
		return nil, e
	}
	return &m.cseq, OK
}

// CallID is the body of Call-ID, nil if it is absent.
func (m *Msg) CallID() []byte {
	if h := m.First(HdrCallID); h != nil {
		return h.Body.In(m.Buf)
	}
	return nil
}

// ContentLength is the value of the first Content-Length; ok says whether the field is there.
func (m *Msg) ContentLength() (n int, ok bool, e Err) {
	if m.first[HdrContentLength] == 0 {
		return 0, false, OK
	}
	if m.clen < 0 {
		return 0, true, ErrContentLength
	}
	return m.clen, true, OK
}

// MaxForwards is the value of Max-Forwards.
func (m *Msg) MaxForwards() (n int, ok bool, e Err) {
	return m.num(HdrMaxForwards, ErrMaxForwards)
}

// Expires is the value of Expires in seconds.
func (m *Msg) Expires() (n int, ok bool, e Err) { return m.num(HdrExpires, ErrExpires) }

func (m *Msg) num(t HdrType, bad Err) (n int, ok bool, e Err) {
	h := m.First(t)
	if h == nil {
		return 0, false, OK
	}
	v, good := number(h.Body.In(m.Buf), math.MaxUint32)
	if !good {
		return 0, true, bad
	}
	return int(v), true, OK
}

// Body is the rest of the buffer behind the empty line (UDP: regardless of Content-Length); nil if there is no empty line.
func (m *Msg) Body() []byte {
	if m.noEOH {
		return nil
	}
	return m.Buf[m.BodyOff:]
}

// HasBody says whether an empty line ends the header fields.
func (m *Msg) HasBody() bool { return !m.noEOH }

// Method is the request line's method; for replies CSeq's, 0 if that is missing or bad.
func (m *Msg) Method() Method {
	if !m.Line.IsReply {
		return m.Line.Method
	}
	c, e := m.CSeq()
	if e != OK {
		return 0
	}
	return c.Method
}

func equalFoldBytes(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}
