package load

import (
	"fmt"
	"strings"
)

// A template is a request as text with fixed places for what differs from one transaction to the next.
//
// The id is 16 hexadecimal digits: sequence number and slot of the transaction. It is in branch, From tag and Call-ID.
type template struct {
	text             []byte
	ids, users, seqs []int // offsets
}

const (
	markID   = "{id}"   // 16 hexadecimal digits
	markUser = "{user}" // 8 hexadecimal digits
	markSeq  = "{seq}"  // 10 decimal digits
)

func newTemplate(s string) template {
	var t template
	for len(s) > 0 {
		i := strings.IndexByte(s, '{')
		if i < 0 {
			i = len(s)
		}
		t.text = append(t.text, s[:i]...)
		s = s[i:]
		whole := len(s)
		for _, m := range []struct {
			mark  string
			width int
			at    *[]int
		}{{markID, 16, &t.ids}, {markUser, 8, &t.users}, {markSeq, 10, &t.seqs}} {
			if rest, ok := strings.CutPrefix(s, m.mark); ok {
				*m.at = append(*m.at, len(t.text))
				t.text = append(t.text, strings.Repeat("0", m.width)...)
				s = rest
				break
			}
		}
		if len(s) == whole && whole > 0 { // no mark
			t.text, s = append(t.text, s[0]), s[1:]
		}
	}
	return t
}

// render appends the request.
func (t *template) render(b []byte, id uint64, user uint32, seq uint32) []byte {
	at := len(b)
	b = append(b, t.text...)
	m := b[at:]
	for _, i := range t.ids {
		putHex(m[i:i+16], id)
	}
	for _, i := range t.users {
		putHex(m[i:i+8], uint64(user))
	}
	for _, i := range t.seqs {
		n := 1000000000 + seq%1000000000
		for k := i + 9; k >= i; k-- {
			m[k] = byte('0' + n%10)
			n /= 10
		}
	}
	return b
}

const hexDigits = "0123456789abcdef"

func putHex(b []byte, v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = hexDigits[v&15]
		v >>= 4
	}
}

// parseHex reads 16 digits.
func parseHex(b []byte) (v uint64, ok bool) {
	for _, c := range b[:16] {
		switch {
		case c >= '0' && c <= '9':
			v = v<<4 | uint64(c-'0')
		case c >= 'a' && c <= 'f':
			v = v<<4 | uint64(c-'a'+10)
		default:
			return 0, false
		}
	}
	return v, true
}

// Kinds of client transactions of one run; the letter ends the Via branch.
const (
	kindFirst = 'f' // the first request of the scenario
	kindAck   = 'a'
	kindBye   = 'b'
)

const sdp = "v=0\r\no=load 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0 101\r\n" +
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=sendrecv\r\n"

// branchPrefix is what all branches of this run begin with.
func (l *loop) branchPrefix() string { return fmt.Sprintf("z9hG4bKld%08x", l.run) }

func (l *loop) transport() (via, param string) {
	if l.cfg.TCP {
		return "TCP", ";transport=tcp"
	}
	return "UDP", ""
}

// first is the scenario's first request as sent by f.
func (l *loop) first(f *flow) template {
	via, param := l.transport()
	method, uri, to, extra, body := "OPTIONS", "sip:"+l.server, "<sip:"+l.server+">", "", ""
	from, callID, seq := "<sip:load@"+l.server+">", "{id}", "1"
	switch l.cfg.Scenario {
	case Register:
		method, callID, seq = "REGISTER", "{user}", markSeq
		to = "<sip:u{user}@" + l.server + ">"
		from = to
		extra = fmt.Sprintf("Contact: <sip:u{user}@%s%s>\r\nExpires: %d\r\n", f.sentBy, param, l.cfg.Expires)
	case Message:
		method, uri, body = "MESSAGE", "sip:"+f.user+"@"+f.far+param, "hello from load"
		to, extra = "<sip:"+f.user+"@"+l.server+">", "Content-Type: text/plain\r\n"
	case Call, Ring, Lookup:
		method, uri, body = "INVITE", "sip:"+f.user+"@"+f.far+param, sdp
		if l.cfg.Scenario == Lookup {
			uri = "sip:" + f.user + "@" + l.server
		}
		to = "<sip:" + f.user + "@" + l.server + ">"
		extra = "Contact: <sip:load@" + f.sentBy + param + ">\r\nContent-Type: application/sdp\r\n"
	}
	return newTemplate(method + " " + uri + " SIP/2.0\r\n" +
		"Via: SIP/2.0/" + via + " " + f.sentBy + ";branch=" + l.branchPrefix() + "{id}" + string(rune(kindFirst)) + "\r\n" +
		"Max-Forwards: 70\r\n" +
		"From: " + from + ";tag={id}\r\n" +
		"To: " + to + "\r\n" +
		fmt.Sprintf("Call-ID: %08x-%s@%s\r\n", l.run, callID, f.sentBy) +
		"CSeq: " + seq + " " + method + "\r\n" +
		"User-Agent: load\r\n" + extra +
		fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body))
}
