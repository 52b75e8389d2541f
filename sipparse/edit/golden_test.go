package edit

import (
	"bytes"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kahea/sipparse"
)

// goldenCase is one case recorded from Kamailio 5.6.3: testdata/golden/*.txt, see the README there.
type goldenCase struct {
	name, op string
	in, out  []byte
}

func readGolden(tb testing.TB, file string) (cases []goldenCase) {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	for _, part := range bytes.Split(b, []byte("-- case "))[1:] {
		var c goldenCase
		name, rest, ok := bytes.Cut(part, []byte(" --\n-- op "))
		op, rest, ok2 := bytes.Cut(rest, []byte(" --\n-- in --\n"))
		in, out, ok3 := bytes.Cut(rest, []byte("\n-- out --\n"))
		if !ok || !ok2 || !ok3 {
			tb.Fatalf("%s: damaged case %q", file, name)
		}
		c.name, c.op, c.in, c.out = string(name), string(op), in, bytes.TrimSuffix(out, []byte("\n"))
		cases = append(cases, c)
	}
	return cases
}

// goldenSrc is where the recorded messages came from.
var goldenSrc = netip.MustParseAddrPort("127.0.0.1:5690")

const serverLine = "Server: kamailio (5.6.3 (x86_64/linux))"

// between is the text of b behind the first of from and before to.
func between(b []byte, from, to string) []byte {
	_, rest, ok := bytes.Cut(b, []byte(from))
	if !ok {
		return nil
	}
	v, _, _ := bytes.Cut(rest, []byte(to))
	return v
}

// reasonLine is the Reason line of b, nil if there is none.
func reasonLine(b []byte) []byte {
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte("Reason:")) {
			return line
		}
	}
	return nil
}

// build does what the configuration of the recording did on the port that the op stands for.
func build(t *testing.T, c *goldenCase) []byte {
	t.Helper()
	var m sipparse.Msg
	if e := m.Parse(c.in); e != sipparse.OK {
		t.Logf("parse: %v", e)
		return nil
	}
	if e := m.Mandatory(); e != sipparse.OK {
		t.Logf("mandatory: %v", e)
		return nil
	}
	if !m.Line.IsSIP {
		return nil
	}
	word := strings.Fields(c.op)
	has := func(w string) bool {
		for i := range word {
			if word[i] == w {
				word = append(word[:i:i], word[i+1:]...)
				return true
			}
		}
		return false
	}
	recv := Received{Src: goldenSrc, ForceRPort: has("force_rport")}
	if has("ip6") {
		recv.Src = netip.MustParseAddrPort("[::1]:5690")
	}
	var l List
	if word[0] == "reply" {
		o := ReplyOpts{Recv: recv, Server: []byte(serverLine)}
		lumps := has("lumps")
		if has("body") {
			l.SetReplyBody([]byte("hello"), []byte("text/plain"))
		}
		if lumps {
			l.AddReplyHeader([]byte("X-A: b\r\nX-C: d\r\n"))
		}
		for _, d := range word[1] {
			o.Code = o.Code*10 + int(d-'0')
		}
		o.Reason = []byte(strings.Join(word[2:], " "))
		for line := range bytes.Lines(c.out) {
			if bytes.HasPrefix(line, []byte("To:")) || bytes.HasPrefix(line, []byte("t:")) || bytes.HasPrefix(line, []byte(" ")) {
				if i := bytes.LastIndex(line, []byte(";tag=")); i >= 0 {
					o.ToTag = bytes.TrimRight(line[i+5:], "\r\n")
				}
			}
		}
		out, e := AppendReply(nil, &m, &l, &o)
		if e != sipparse.OK {
			t.Logf("reply: %v", e)
			return nil
		}
		return out
	}
	if word[0] == "local" {
		if word[1] == "CANCEL" {
			return AppendLocalCANCEL(nil, &m, nil, reasonLine(c.out))
		}
		// the reply's To: what the server was sent in the recording
		h := m.First(sipparse.HdrTo)
		to := append(append([]byte(nil), m.Buf[h.Off:rawEnd(&m, h)]...), ";tag=uas\r\n"...)
		return AppendLocalACK(nil, &m, to)
	}
	if word[0] == "forward-reply" {
		if _, e := m.Via2(); e != sipparse.OK {
			return nil // the caller's business: it has nowhere to send it
		}
		rule := CLenDatagram
		if has("stream") {
			rule = CLenStream
		}
		out, e := AppendForwardReply(nil, &m, &l, rule, 0, nil)
		if e != sipparse.OK {
			t.Logf("forward-reply: %v", e)
			return nil
		}
		return out
	}
	hex, e := BranchMD5(&m, nil)
	if e != sipparse.OK {
		t.Logf("branch: %v", e)
		return nil
	}
	hash, e := BranchHash(&m)
	if e != sipparse.OK {
		t.Fatal(e)
	}
	via := ViaOpts{
		Proto: sipparse.UDP, Host: []byte("127.0.0.1"),
		Branch: AppendBranch(nil, hash, hex[:], 0),
	}
	o := RequestOpts{Via: &via, Recv: recv}
	stream := false
	if has("stream") {
		o.CLen = CLenStream
		via.Proto, stream = sipparse.TCP, true
	}
	if recv.Src.Addr().Is6() {
		via.Host = []byte("[::1]")
	}
	conn := has("conn")
	if conn {
		for i, d := range between(c.out, ";i=", "\r\n") {
			via.ConnID |= uint32(strings.IndexByte(hexDigits, d)) << (4 * i)
		}
	}
	switch word[0] {
	case "forward":
		via.Port = 5671
		if recv.ForceRPort {
			via.Port = 5672
		}
		if stream {
			via.Port = 5677 // the first TCP socket
		} else if conn {
			via.Port = 5685 // the first UDP socket
		}
	case "path":
		via.Port = 5680
		from, _ := m.From()
		l.InsertBefore(m.Hdrs[0].Off, append(append([]byte("Record-Route: <sip:127.0.0.1:5680;lr;ftag="), m.Bytes(from.Tag)...), ">\r\n"...), sipparse.HdrRecordRoute)
		l.InsertBefore(m.Hdrs[0].Off, []byte("X-I: i\r\n"), sipparse.HdrOther)
		o.RURI = []byte("sip:new@127.0.0.1:5681")
		o.Path = []byte("Route: <sip:1.2.3.4;lr>,<sip:5.6.7.8;lr>\r\n")
	case "edits":
		via.Port = 5677
		scriptEdits(t, &m, &l)
	default:
		t.Fatalf("unknown op %q", c.op)
	}
	out, e := AppendRequest(nil, &m, &l, &o)
	if e != sipparse.OK {
		t.Logf("request: %v", e)
		return nil
	}
	return out
}

// scriptEdits makes the edits of the script on port 5677 of the recording.
func scriptEdits(t *testing.T, m *sipparse.Msg, l *List) {
	t.Helper()
	top := m.Hdrs[0].Off
	ins := func(s string) { l.InsertBefore(top, []byte(s), sipparse.HdrOther) }
	app := func(s string) { l.InsertAfter(m.HdrEnd, []byte(s), sipparse.HdrOther) }
	ins("X-I1: a\r\n")
	ins("X-I2: b\r\n")
	app("X-A1: a\r\n")
	app("X-A2: b\r\n")
	from, _ := m.From()
	l.InsertBefore(top, append(append([]byte("Record-Route: <sip:127.0.0.1:5677;lr;ftag="), m.Bytes(from.Tag)...), ">\r\n"...), sipparse.HdrRecordRoute)
	ins("X-I3: c\r\n")
	app("X-A3: c\r\n")
	if h := m.First(sipparse.HdrSubject); h != nil {
		l.InsertBefore(h.Off, []byte("X-S: s\r\n"), sipparse.HdrOther)
		l.InsertAfter(h.End, []byte("X-S2: s2\r\n"), sipparse.HdrOther)
		l.Remove(h.Off, h.End-h.Off, sipparse.HdrSubject)
	}
	for h := m.Find([]byte("x-r")); h != nil; h = m.FindNext(h) {
		l.Remove(h.Off, h.End-h.Off, sipparse.HdrOther)
	}
	if m.Find([]byte("X-Body")) != nil {
		if h := m.First(sipparse.HdrContentType); h != nil {
			l.Remove(h.Off, h.End-h.Off, sipparse.HdrContentType)
		}
		app("Content-Type: text/plain\r\n")
		l.SetBody([]byte("hello"))
	}
	if m.Find([]byte("X-Sub2")) != nil {
		if i := bytes.Index(m.Body(), []byte("audio")); i >= 0 {
			l.Replace(m.BodyOff+uint32(i), 5, []byte("tv"), sipparse.HdrOther)
		}
	}
	if m.Find([]byte("X-Sub")) != nil {
		if i := bytes.Index(m.Body(), []byte("audio")); i >= 0 {
			l.Replace(m.BodyOff+uint32(i), 5, []byte("video"), sipparse.HdrOther)
		}
	}
}

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden files", err)
	}
	for _, f := range files {
		for _, c := range readGolden(t, f) {
			t.Run(strings.TrimSuffix(filepath.Base(f), ".txt")+"/"+c.op+"/"+c.name, func(t *testing.T) {
				if got := build(t, &c); !bytes.Equal(got, c.out) {
					t.Errorf("in:\n%s\ngot:\n%s\nwant:\n%s", c.in, got, c.out)
				}
			})
		}
	}
}
