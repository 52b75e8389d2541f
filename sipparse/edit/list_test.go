package edit

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"kahea/sipparse"
)

const (
	tA = sipparse.HdrRecordRoute
	tB = sipparse.HdrOther
)

func TestList(t *testing.T) {
	const src = "0123456789"
	for _, c := range []struct {
		name, want string
		f          func(l *List)
	}{
		{"nothing", src, func(l *List) {}},
		{"remove", "0189", func(l *List) { l.Remove(2, 6, tB) }},
		{"overlapping removals merge", "0189", func(l *List) { l.Remove(2, 4, tB); l.Remove(4, 4, tB); l.Remove(3, 1, tB) }},
		{"removal beyond the end", "01", func(l *List) { l.Remove(2, 1<<31, tB) }},
		{"insertions at one offset in the order in which they were made", "01abc23456789", func(l *List) {
			l.InsertBefore(2, []byte("a"), tB)
			l.InsertAfter(2, []byte("b"), tB)
			l.InsertBefore(2, []byte("c"), tB)
		}},
		{"replace", "01abc56789", func(l *List) { l.Replace(2, 3, []byte("abc"), tB) }},
		{"insertion inside of a removal stays", "01a89", func(l *List) { l.Remove(2, 6, tB); l.InsertBefore(4, []byte("a"), tB) }},
		{"at both ends", "a0123456789b", func(l *List) { l.InsertAfter(10, []byte("b"), tB); l.InsertBefore(0, []byte("a"), tB) }},
		{"beyond the end", "0123456789b", func(l *List) { l.InsertAfter(100, []byte("b"), tB) }},
		{"dropped insertions", "0b1b3456789", func(l *List) {
			l.InsertBefore(1, []byte("a"), tA)
			l.InsertBefore(1, []byte("b"), tB)
			l.Replace(2, 1, []byte("b"), tB)
			l.Remove(2, 1, tA)
			l.InsertBefore(3, []byte("a"), tA)
			if l.DropInserts(tA) != 2 || l.HasInsert(tA) || !l.HasInsert(tB) {
				t.Error("DropInserts")
			}
		}},
		{"texts replaced", "[a]01[bb]23456789", func(l *List) {
			l.InsertBefore(2, []byte("bb"), tA)
			l.InsertBefore(0, []byte("a"), tA)
			l.InsertBefore(0, nil, tB)
			l.EachInsert(tA, func(text []byte) []byte { return []byte("[" + string(text) + "]") })
		}},
		{"reset", src, func(l *List) { l.Remove(1, 2, tB); l.SetBody(nil); l.AddReplyHeader([]byte("x")); l.Reset() }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l, loaded, copied List
			copied.Remove(1, 1, tB)
			c.f(&l)
			stored := l.AppendBinary([]byte("x"))[1:]
			if err := loaded.Load(stored); err != nil {
				t.Fatal(err)
			}
			copied.CopyFrom(&l)
			for i, l := range []*List{&l, &loaded, &copied} {
				if got := string(l.Apply([]byte("> "), []byte(src))); got != "> "+c.want {
					t.Errorf("%d: %q, want %q", i, got, c.want)
				}
			}
			for i := range stored {
				if err := loaded.Load(stored[:i]); err == nil {
					t.Errorf("%d of %d stored bytes load", i, len(stored))
				}
				if !loaded.Empty() {
					t.Fatal("not empty after an error")
				}
			}
		})
	}
}

func TestListReply(t *testing.T) {
	var l, o List
	l.AddReplyHeader([]byte("A: b\r\n"))
	l.AddReplyHeader([]byte("C: d\r\n"))
	l.SetReplyBody([]byte("old"), []byte("old/type"))
	l.AddReplyHeader([]byte("E: f\r\n"))
	l.SetReplyBody([]byte("body"), []byte("a/b"))
	l.SetBody([]byte("fwd"))
	if err := o.Load(l.AppendBinary(nil)); err != nil {
		t.Fatal(err)
	}
	body, ctype := o.ReplyBody()
	fwd, ok := o.Body()
	if string(o.ReplyHeaders()) != "A: b\r\nC: d\r\nE: f\r\nContent-Type: a/b\r\n" || string(body) != "body" || string(ctype) != "a/b" || string(fwd) != "fwd" || !ok || o.Empty() {
		t.Errorf("%q %q %q %q", o.ReplyHeaders(), body, ctype, fwd)
	}
}

// TestHash: $(var{s.corehash}) of Kamailio 5.6.3, and with sizes.
func TestHash(t *testing.T) {
	for _, c := range []struct {
		s    string
		size uint32
		want uint32
	}{
		{"abc", 0, 7167810}, {"abc", 16, 2}, {"abc", 1024, 834}, {"a", 0, 109}, {"", 0, 0}, {"abcd", 0, 1834959896}, {"abcdefgh", 0, 3610933276},
		{"\xe4\xf6\xfc", 0, 3762459120}, {"hello world", 0, 3368663417}, {strings.Repeat("x", 50), 0, 2578584144}, {"sip:alice@example.com", 1024, 443},
	} {
		if got := CoreHash([]byte(c.s), nil, c.size); got != c.want {
			t.Errorf("%q, %d: %d, want %d", c.s, c.size, got, c.want)
		}
	}
}

// FuzzEdit makes edits as the bytes of prog say and compares with what a simple model does.
func FuzzEdit(f *testing.F) {
	f.Add([]byte("0123456789"), []byte{0, 2, 3, 1, 2, 4, 2, 9, 1})
	f.Add([]byte("Via: x\r\nTo: y\r\n"), []byte{1, 0, 0, 1, 0, 5, 0, 0, 8, 2, 8, 6})
	f.Fuzz(func(t *testing.T, src, prog []byte) {
		var l List
		prog = prog[:min(len(prog), 300)] // a list is made for a script's edits: adding one takes time in proportion to their number
		gone := make([]bool, len(src))
		ins := make([][]byte, len(src)+1)
		for ; len(prog) >= 3; prog = prog[3:] {
			off, n := int(prog[1])%(len(src)+1), int(prog[2])
			text := bytes.Repeat([]byte{'a' + prog[2]%26}, n%5)
			if prog[0]%3 != 1 {
				l.Remove(uint32(off), uint32(n), tB)
				for i := off; i < min(off+n, len(src)); i++ {
					gone[i] = true
				}
			}
			if prog[0]%3 != 0 {
				l.InsertAfter(uint32(off), text, tA)
				ins[off] = append(ins[off], text...)
			}
		}
		var want []byte
		for i := range src {
			want = append(want, ins[i]...)
			if !gone[i] {
				want = append(want, src[i])
			}
			if l.Removed(uint32(i)) != gone[i] {
				t.Fatalf("Removed(%d) is %v", i, !gone[i])
			}
		}
		want = append(want, ins[len(src)]...)
		if got := l.Apply(nil, src); !bytes.Equal(got, want) {
			t.Fatalf("%q: %q, want %q", src, got, want)
		}
		if n := l.bodyLen(0, uint32(len(src))); n != len(want) {
			t.Fatalf("length %d, want %d", n, len(want))
		}
		var o List
		if err := o.Load(l.AppendBinary(nil)); err != nil || !slices.Equal(o.ops, l.ops) {
			t.Fatal(err)
		}
	})
}

// FuzzLoad: nothing that Load takes makes Apply leave its buffers.
func FuzzLoad(f *testing.F) {
	var l List
	l.Replace(1, 2, []byte("abc"), tA)
	l.SetBody([]byte("x"))
	f.Add(l.AppendBinary(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var l List
		if l.Load(b) == nil {
			l.Apply(nil, []byte("0123456789"))
			l.ReplyBody()
		}
	})
}

// FuzzBuild: no message that parses makes a builder panic, and what goes out parses again.
func FuzzBuild(f *testing.F) {
	for _, file := range []string{"forward.txt", "reply.txt", "edits.txt", "forward-reply.txt"} {
		for _, c := range readGolden(f, "testdata/golden/"+file) {
			f.Add(c.in)
		}
	}
	recv := Received{ForceRPort: true}
	recv.Src = goldenSrc
	f.Fuzz(func(t *testing.T, in []byte) {
		var m, n sipparse.Msg
		if m.Parse(in) != sipparse.OK || m.Mandatory() != sipparse.OK || !m.Line.IsSIP {
			return
		}
		var l List
		for _, rule := range []CLen{CLenDatagram, CLenStream} {
			out, e := AppendRequest(nil, &m, &l, &RequestOpts{Recv: recv, CLen: rule, Via: &ViaOpts{Proto: sipparse.UDP, Host: []byte("h")}})
			// as Kamailio does, a parameter is put in front of a comment without a blank, and a closing quote is left behind
			if e == sipparse.OK && !m.Line.IsReply && !bytes.ContainsAny(in, "(\"") {
				if e := n.Parse(out); e != sipparse.OK {
					t.Errorf("%q became %q: %v", in, out, e)
				}
			}
			AppendForwardReply(nil, &m, &l, rule, 200, []byte("OK"))
		}
		AppendReply(nil, &m, &l, &ReplyOpts{Code: 200, Recv: recv, ToTag: []byte("t")})
		AppendLocalACK(nil, &m, []byte("t: x"))
		AppendLocalCANCEL(nil, &m, nil, nil)
		BranchMD5(&m, nil)
	})
}

// append_hf to a message that has no empty line must not count as body.
func TestAppendWithoutEnd(t *testing.T) {
	in := "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nl: 0\r\n"
	var m sipparse.Msg
	if e := m.Parse([]byte(in)); e != sipparse.OK {
		t.Fatal(e)
	}
	var l List
	l.InsertAfter(m.HdrEnd, []byte("X: y\r\n"), tB)
	out, e := AppendRequest(nil, &m, &l, &RequestOpts{})
	if e != sipparse.OK || string(out) != in+"X: y\r\n" {
		t.Errorf("%v %q", e, out)
	}
}

// The reply to an HTTP request has its Via renamed.
func TestReplyToHTTP(t *testing.T) {
	var m sipparse.Msg
	if e := m.Parse([]byte("GET /x HTTP/1.1\r\nVia: SIP/2.0/TCP 127.0.0.1:5690\r\nHost: x\r\n\r\n")); e != sipparse.OK || m.Line.IsSIP {
		t.Fatal(e)
	}
	out, e := AppendReply(nil, &m, nil, &ReplyOpts{Code: 200, Reason: []byte("OK"), Recv: Received{Src: goldenSrc}})
	if want := "HTTP/1.1 200 OK\r\nSia: SIP/2.0/TCP 127.0.0.1:5690\r\nContent-Length: 0\r\n\r\n"; e != sipparse.OK || string(out) != want {
		t.Errorf("%v %q", e, out)
	}
}
