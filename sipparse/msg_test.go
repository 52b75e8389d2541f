package sipparse

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInvite(t *testing.T) {
	var m Msg
	if e := full(&m, load(t, "invite.sip")); e != OK {
		t.Fatal(e)
	}
	str := func(s Span) string { return string(m.Bytes(s)) }
	via, _ := m.Via1()
	from, _ := m.From()
	to, _ := m.To()
	cseq, _ := m.CSeq()
	ruri, rtext, _ := m.RURI()
	furi, ftext, _ := m.FromURI()
	n, _, _ := m.ContentLength()
	mf, _, _ := m.MaxForwards()
	_, v2 := m.Via2()
	vals := m.Values(HdrContact)
	vals.Next()
	for _, c := range []struct{ name, got, want string }{
		{"method", str(m.Line.MethodText), "INVITE"},
		{"uri", str(m.Line.URI), "sip:bob@biloxi.example.com"},
		{"version", str(m.Line.Version), "SIP/2.0"},
		{"via host", str(via.Host), "client.atlanta.example.com"},
		{"via port", str(via.PortText), "5060"},
		{"via branch", str(via.Branch), "z9hG4bK74bf9"},
		{"via params", str(via.Params), "branch=z9hG4bK74bf9;rport"},
		{"via whole", str(via.Whole), "SIP/2.0/UDP client.atlanta.example.com:5060;branch=z9hG4bK74bf9;rport"},
		{"via transport", via.Proto.String(), "udp"},
		{"from name", str(from.Name), `"Alice"`},
		{"from uri", str(from.URI), "sip:alice@atlanta.example.com"},
		{"from tag", str(from.Tag), "9fxced76sl"},
		{"from params", str(from.Params), "tag=9fxced76sl"},
		{"to name", str(to.Name), "Bob"},
		{"to tag", str(to.Tag), ""},
		{"call-id", string(m.CallID()), "3848276298220188511@atlanta.example.com"},
		{"cseq", str(cseq.NumText) + "|" + cseq.Method.String(), "314159|INVITE"},
		{"ruri host", string(ruri.Host.In(rtext)), "biloxi.example.com"},
		{"from user", string(furi.User.In(ftext)), "alice"},
		{"contact", str(vals.URI), "sip:alice@client.atlanta.example.com;transport=udp"},
		{"body", string(m.Body()[:4]), "v=0\r"},
		{"compact name finds the long one", str(m.Find([]byte("s")).Body), "x"},
		{"other name, other case", str(m.Find([]byte("x-custom-HEADER")).Body), "1"},
		{"its next", str(m.FindNext(m.Find([]byte("x-custom-HEADER"))).Body), "2"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
	if n != len(m.Body()) || mf != 70 || v2 != ErrNoVia || !via.HasRPort || via.Port != 5060 {
		t.Errorf("content-length %d, body %d, max-forwards %d, via2 %v, via %+v", n, len(m.Body()), mf, v2, via)
	}
}

// message is a good message with the lines put in behind Via.
func message(lines ...string) string {
	return "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n" + strings.Join(append(lines, ""), "\r\n") +
		"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name, in       string
		lenient        bool
		parse, tail, e Err
	}{
		{name: "good", in: message()},
		{name: "too short", in: "A x SIP/2.0\r\n\r\n", parse: ErrTooShort},
		{name: "no line end", in: "OPTIONS sip:x SIP/2.0", parse: ErrFirstLine},
		{name: "header name", in: message("b\x80d: x"), parse: ErrHeaderName},
		{name: "no via", in: "OPTIONS sip:x SIP/2.0\r\nCSeq: 1 OPTIONS\r\n\r\n", parse: ErrNoVia},
		{name: "http needs no via", in: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", e: ErrNoFrom},
		{name: "second max-forwards", in: message("Max-Forwards: 1", "Max-Forwards: 1"), parse: ErrDuplicate},
		{name: "second max-forwards, lenient", in: message("Max-Forwards: 1", "Max-Forwards: 1"), lenient: true, parse: ErrDuplicate},
		{name: "second to", in: message("t: <sip:c@d>"), tail: OK, parse: ErrDuplicate},
		{name: "second to, lenient", in: message("t: <sip:c@d>"), lenient: true},
		{name: "second content-length", in: message("l: 0", "Content-Length: 0"), parse: ErrDuplicate},
		{name: "second content-length, lenient", in: message("l: 0", "Content-Length: x"), lenient: true},
		{name: "content-length", in: message("l: x"), parse: ErrContentLength},
		{name: "second via bad", in: message("Via: x"), parse: ErrVia},
		{name: "behind the mandatory ones", in: strings.TrimSuffix(message(), "\r\n") + "bad\r\n\r\n", tail: ErrHeaderName},
		{name: "from is not looked into", in: strings.Replace(message(), "<sip:a@b>;tag=1", "<", 1)},
		{name: "to is", in: strings.Replace(message(), "To: <sip:a@b>", "To: <", 1), e: ErrTo},
		{name: "cseq", in: strings.Replace(message(), "CSeq: 1 OPTIONS", "CSeq: 1", 1), e: ErrCSeq},
		{name: "cseq above 32 bits", in: strings.Replace(message(), "CSeq: 1 ", "CSeq: 4294967296 ", 1)},
		{name: "no call-id", in: strings.Replace(message(), "Call-ID", "X", 1), e: ErrNoCallID},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := Msg{Lenient: c.lenient}
			parse := m.Parse([]byte(c.in))
			if parse != c.parse || m.Complete() != c.tail && parse == OK {
				t.Fatalf("parse: %v, complete: %v; want %v, %v", parse, m.Complete(), c.parse, c.tail)
			}
			if parse == OK {
				if e := m.Mandatory(); e != c.e {
					t.Errorf("mandatory: %v, want %v", e, c.e)
				}
			}
		})
	}
}

func TestFirstLine(t *testing.T) {
	for _, c := range []struct {
		name, in            string
		http                bool
		e                   Err
		reply, sip          bool
		method, uri, reason string
		status              uint16
	}{
		{name: "request", in: "FOO sip:a@b SIP/2.0", sip: true, method: "FOO", uri: "sip:a@b"},
		{name: "reply", in: "sip/2.0 183 Session Progress", reply: true, sip: true, status: 183, reason: "Session Progress"},
		{name: "no reason", in: "SIP/2.0 200 ", reply: true, sip: true, status: 200},
		{name: "http request", in: "GET /x HTTP/1.1", method: "GET", uri: "/x"},
		{name: "http reply is a request", in: "HTTP/1.1 200 OK", method: "HTTP/1.1", uri: "200"},
		{name: "http reply", in: "HTTP/1.1 200 OK", http: true, reply: true, status: 200, reason: "OK"},
		{name: "two tokens", in: "OPTIONS sip:a@b.example", e: ErrFirstLine},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := []byte(c.in + "\r\nX: yyyyyyyyy\r\n")
			var l FirstLine
			if e := l.parse(b, 0, c.http); e != c.e {
				t.Fatalf("%v, want %v", e, c.e)
			}
			if c.e != OK {
				return
			}
			if l.IsReply != c.reply || l.IsSIP != c.sip || l.Status != c.status || string(l.MethodText.In(b)) != c.method ||
				string(l.URI.In(b)) != c.uri || string(l.Reason.In(b)) != c.reason {
				t.Errorf("%+v", l)
			}
		})
	}
}

func TestHeaderNames(t *testing.T) {
	for typ := HdrVia; typ < NumHdr; typ++ {
		n := hdrNames[typ]
		for _, name := range []string{n.name, strings.ToUpper(n.name), strings.ToLower(n.name), string([]byte{n.compact}), strings.ToUpper(string([]byte{n.compact}))} {
			if name[0] == 0 {
				continue
			}
			if got := LookupHdr([]byte(name)); got != typ {
				t.Errorf("%s: %v, want %v", name, got, typ)
			}
			if got := typeOf([]byte(name+": something that follows"), len(name)); got != typ {
				t.Errorf("%s in a line: %v, want %v", name, got, typ)
			}
			if got := LookupHdr([]byte(name + "x")); got == typ {
				t.Errorf("%sx is taken for it", name)
			}
		}
	}
	for c := range 256 {
		want := strings.IndexByte("abcdefijklmorstuvxyABCDEFIJKLMORSTUVXY", byte(c)) >= 0
		if got := LookupHdr([]byte{byte(c)}) != HdrOther; got != want {
			t.Errorf("compact form %#x: known %v", c, got)
		}
	}
}

func TestValues(t *testing.T) {
	var m Msg
	in := message(`Contact: "A, \"B" <sip:a@b;x=y>;q="0,5" , sip:c@d;expires=5,<sip:e@f?h=v>`, "m: *")
	if e := m.Parse([]byte(in)); e != OK {
		t.Fatal(e)
	}
	var got []string
	v := m.Values(HdrContact)
	for {
		ok, e := v.Next()
		if e != OK {
			t.Fatal(e)
		}
		if !ok {
			break
		}
		got = append(got, string(m.Bytes(v.Name))+"|"+string(m.Bytes(v.URI))+"|"+string(m.Bytes(v.Params))+"|"+string(m.Bytes(v.Whole)))
		if v.Star != (len(got) == 4) {
			t.Error("star", got)
		}
	}
	want := []string{
		`"A, \"B"|sip:a@b;x=y|q="0,5"|"A, \"B" <sip:a@b;x=y>;q="0,5"`,
		`|sip:c@d|expires=5|sip:c@d;expires=5`,
		`|sip:e@f?h=v||<sip:e@f?h=v>`,
		`|*||*`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestAuth(t *testing.T) {
	b := []byte(`Digest username="bob@biloxi.com", realm="biloxi.com",nonce="dcd\"98",uri="sip:bob@biloxi.com", qop=auth , nc=00000001, cnonce="0a4f113b",response="6629fae4", opaque="",algorithm=MD5,foo=bar`)
	var a Auth
	if e := ParseAuth(b, Span{0, uint32(len(b))}, &a); e != OK {
		t.Fatal(e)
	}
	got := ""
	for _, s := range []Span{a.Scheme, a.Username, a.UserName, a.UserDomain, a.Realm, a.Nonce, a.URI, a.QOP, a.NC, a.Cnonce, a.Response, a.Opaque, a.Algorithm} {
		got += string(s.In(b)) + "|"
	}
	if want := `Digest|bob@biloxi.com|bob|biloxi.com|biloxi.com|dcd\"98|sip:bob@biloxi.com|auth|00000001|0a4f113b|6629fae4||MD5|`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for _, bad := range []string{"", "Digest x", `Digest a="b`, "Digest a=b c=d", "Digest =b"} {
		if e := ParseAuth([]byte(bad), Span{0, uint32(len(bad))}, &a); e == OK {
			t.Errorf("%q passes", bad)
		}
	}
	other := "Basic Zm9v"
	if e := ParseAuth([]byte(other), Span{0, uint32(len(other))}, &a); e != OK || string(a.Scheme.In([]byte(other))) != "Basic" {
		t.Errorf("other scheme: %v", e)
	}
}

func TestParams(t *testing.T) {
	b := []byte(`a=1; B ;c="x;\"y" ;d = e;;f=`)
	var got []string
	for it := Params(b); it.Next(); {
		s := string(it.Name)
		if it.HasValue {
			s += "=" + string(it.Value)
		}
		got = append(got, s)
	}
	if s := strings.Join(got, "|"); s != `a=1|B|c="x;\"y"|d=e|f=` {
		t.Error(s)
	}
	if v, ok := Param(b, "D"); !ok || string(v) != "e" {
		t.Errorf("%q %v", v, ok)
	}
	if _, ok := Param(b, "x"); ok {
		t.Error("x is found")
	}
}

// everything asks for all that can be asked for.
func everything(m *Msg, buf []byte) Err {
	e := m.Parse(buf)
	for _, h := range m.Hdrs {
		h.Body.In(buf)
		h.Name.In(buf)
		var a Auth
		ParseAuth(buf, h.Body, &a)
	}
	m.Mandatory()
	m.FromURI()
	m.ToURI()
	m.RURI()
	m.Expires()
	m.MaxForwards()
	m.ContentLength()
	m.Method()
	m.Body()
	if v, e := m.Via2(); e == OK {
		v.Rest.In(buf)
	}
	for t := HdrType(0); t < NumHdr; t++ {
		for v := m.Values(t); ; {
			if ok, _ := v.Next(); !ok {
				break
			}
			v.Whole.In(buf)
		}
	}
	return e
}

// TestCuts parses every beginning of a message: no panic, and no span outside.
func TestCuts(t *testing.T) {
	inv := load(t, "invite.sip")
	var m Msg
	for i := range inv {
		everything(&m, inv[:i:i])
	}
}

// TestHostile: each of these would show as minutes if anything were not linear.
func TestHostile(t *testing.T) {
	var m Msg
	for _, c := range []struct{ name, in string }{
		{"many fields", message(strings.Repeat("X: y\r\n", 200000) + "X: y")},
		{"many vias", message("Via: SIP/2.0/UDP h" + strings.Repeat(",SIP/2.0/UDP h", 100000))},
		{"many via fields", message(strings.Repeat("Via: SIP/2.0/UDP h\r\n", 100000) + "X: y")},
		{"many contacts", message("Contact: <sip:a>" + strings.Repeat(",<sip:a>", 200000))},
		{"open brackets", message("Contact: " + strings.Repeat("<", 500000))},
		{"quotes", message("Contact: " + strings.Repeat(`"`, 500001))},
		{"one line of 1 MB", message("X: " + strings.Repeat("y", 1<<20))},
		{"folds", message("X: " + strings.Repeat("\r\n y", 300000))},
		{"parameters", message("Contact: <sip:a>" + strings.Repeat(";a=b", 300000))},
		{"NUL", message("X: " + strings.Repeat("\x00", 300000))},
		{"numbers", message("Expires: " + strings.Repeat("9", 300000))},
	} {
		t.Run(c.name, func(t *testing.T) { everything(&m, []byte(c.in)) })
	}
}

// TestCorpusParses parses every message of the corpus that lies beside the checkout. (What Kamailio does with them is compared in
// package edit.)
func TestCorpusParses(t *testing.T) {
	dir, err := filepath.Abs("../../shared/corpus/sip")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Log("the corpus is not there:", err)
		return
	}
	var m Msg
	files, good := 0, 0
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		if everything(&m, b) == OK {
			good++
		}
		return nil
	})
	if err != nil || good < 500 {
		t.Errorf("%v; %d of %d files parse", err, good, files)
	}
}

// FuzzMsg parses, puts the message together from its parts, and compares.
func FuzzMsg(f *testing.F) {
	f.Add(load(f, "invite.sip"))
	f.Add([]byte(message(`Contact: "a" <sip:b>;q=1`, "Via: SIP/2.0/TCP [::1]:5060 ;rport ,SIP/2.0/UDP h")))
	f.Add([]byte("SIP/2.0 200 OK\nv: SIP/2.0/UDP h (c)\nX:a\n b\n\nbody"))
	f.Add([]byte(message("Authorization: Digest a=\"b\"", "Route: <sip:a;lr>,<sip:b>", "Expires: 1")))
	f.Add([]byte(message("Authorization: Digest a=,", "Proxy-Authorization: Digest a=\"\\", "Authorization:", "Content-Length: 4294967296")))
	f.Add([]byte("MESSAGE  SIP/2.0\r\nVia: SIP/2.0/UDP h,,SIP/2.0/UDP i\r\nX\x00: a\r\n\r\n"))
	f.Add([]byte(message("Contact: \"{\\\\}\" <sip:a%@[::1>;;q=,*", "Max-Forwards:", "CSeq: -1 INVITE", "To: <>;tag=")))
	f.Fuzz(func(t *testing.T, in []byte) {
		var m Msg
		before := bytes.Clone(in)
		e := everything(&m, in)
		if !bytes.Equal(before, in) {
			t.Fatal("the buffer was written to")
		}
		for i, h := range m.Hdrs {
			if h.Next >= 0 && (int(h.Next) <= i || int(h.Next) >= len(m.Hdrs) || m.Hdrs[h.Next].Type != h.Type) {
				t.Fatalf("chain of %d: %+v", i, h)
			}
		}
		if v, e2 := m.Via2(); e == OK && e2 == OK && int(v.Hdr) >= len(m.Hdrs) {
			t.Fatalf("second via in field %d", v.Hdr)
		}
		if e != OK || m.Complete() != OK {
			return
		}
		out := append([]byte(nil), in[:m.Line.End]...)
		for i := range m.Hdrs {
			h := &m.Hdrs[i]
			if int(h.Off) != len(out) || h.Name.Off != h.Off || h.Body.Off < h.Name.End() || h.Body.End() > h.End {
				t.Fatalf("field %d: %+v does not begin at %d", i, *h, len(out))
			}
			out = append(out, in[h.Off:h.End]...)
		}
		if int(m.HdrEnd) != len(out) {
			t.Fatalf("fields end at %d, HdrEnd %d", len(out), m.HdrEnd)
		}
		out = append(out, in[m.HdrEnd:m.BodyOff]...)
		out = append(out, m.Body()...)
		if m.HasBody() && !bytes.Equal(in, out) {
			t.Fatalf("%q became %q", in, out)
		}
	})
}
