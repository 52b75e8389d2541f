package sipparse

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"testing"
)

// unescape undoes Python's unicode_escape, which the recordings use.
func unescape(tb testing.TB, s string) []byte {
	tb.Helper()
	u, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		tb.Fatal(s, err)
	}
	b := make([]byte, 0, len(u))
	for _, r := range u {
		b = append(b, byte(r))
	}
	return b
}

// stricter: here we close at once where Kamailio 5.6.3 waits for bytes that its buffer cannot hold, or counts modulo 2^32.
var stricter = []string{"99999999999", "4294967296", "2147483647", "100000"}

// TestStream plays the byte streams of testdata/stream.tsv; the columns say how many replies and CRLFs Kamailio 5.6.3 sent, with
// a script that answers everything, and whether it closed the connection.
func TestStream(t *testing.T) {
	tsv, err := os.ReadFile("testdata/stream.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(tsv)) {
		col := strings.Split(strings.TrimSuffix(row, "\n"), "\t")
		if col[0] == "name" || col[1] == "BIG" {
			continue
		}
		t.Run(col[0], func(t *testing.T) {
			in := unescape(t, col[1])
			closes := col[4] == "closed"
			for _, s := range stricter {
				closes = closes || strings.Contains(col[0], s)
			}
			for _, step := range []int{len(in), 1, 7} {
				replies, pongs, closed := play(in, step)
				if closed != closes || strconv.Itoa(pongs) != col[3] || !(closes && col[4] == "open") && strconv.Itoa(replies) != col[2] {
					t.Errorf("by %d bytes: %d replies, %d pongs, closed %v; want %s, %s, %v", step, replies, pongs, closed, col[2], col[3], closes)
				}
			}
		})
	}
}

// play feeds in to a framer, step bytes at a time, and counts as a server would answer.
func play(in []byte, step int) (replies, pongs int, closed bool) {
	f := Framer{MaxSize: 4096}
	var m Msg
	var buf []byte
	for off := 0; off < len(in); off += step {
		buf = append(buf, in[off:min(off+step, len(in))]...)
	frames:
		for {
			kind, skip, n, _ := f.Next(buf)
			switch kind {
			case FrameError:
				return replies, pongs, true
			case FramePing:
				pongs++
			case FrameMessage:
				e := m.Parse(buf[skip:n])
				if e == OK {
					e = m.Mandatory()
				}
				if e != OK && m.Line.IsSIP || m.Line.Version.Len == 0 {
					return replies, pongs, true
				}
				if m.Line.IsSIP && m.Complete() == OK {
					replies++
				}
			case FrameNeedMore:
				buf = buf[n:]
				break frames
			}
			buf = buf[n:]
		}
	}
	return replies, pongs, false
}

func TestFramer(t *testing.T) {
	const msg = "OPTIONS sip:x SIP/2.0\r\nX: y\r\n"
	for _, c := range []struct {
		name    string
		f       Framer
		in      string
		kind    FrameKind
		skip, n int
		e       Err
	}{
		{name: "empty", kind: FrameNeedMore},
		{name: "blanks are dropped", in: " \r\n\t", kind: FrameNeedMore, n: 4},
		{name: "ping", in: "\r\n\r\nX", kind: FramePing, skip: 4, n: 4},
		{name: "message", in: "\r\n" + msg + "l: 2\r\n\r\nabc", kind: FrameMessage, skip: 2, n: 2 + len(msg) + 6 + 2 + 2},
		{name: "no length", in: msg + "\r\n", kind: FrameError, e: ErrNoContentLength},
		{name: "no length accepted", f: Framer{AcceptNoCL: true}, in: msg + "\r\nabc", kind: FrameMessage, n: len(msg) + 2},
		{name: "too big by length", f: Framer{MaxSize: 100}, in: msg + "l: 99\r\n\r\n", kind: FrameError, e: ErrTooBig},
		{name: "just fits", f: Framer{MaxSize: len(msg) + 8}, in: msg + "l: 0\r\n\r\n", kind: FrameMessage, n: len(msg) + 8},
		{name: "one too many", f: Framer{MaxSize: len(msg) + 7}, in: msg + "l: 0\r\n\r\n", kind: FrameError, e: ErrTooBig},
		{name: "endless line", f: Framer{MaxSize: 100}, in: strings.Repeat("x", 101), kind: FrameError, e: ErrTooBig},
		{name: "bad length", in: msg + "l: 2x\r\n\r\n", kind: FrameError, e: ErrContentLength},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind, skip, n, e := c.f.Next([]byte(c.in))
			if kind != c.kind || skip != c.skip || n != c.n || e != c.e {
				t.Errorf("got %d %d %d %v, want %d %d %d %v", kind, skip, n, e, c.kind, c.skip, c.n, c.e)
			}
		})
	}
}

// frames cuts in and gives what comes out, in a form that can be compared.
func frames(f Framer, in []byte, cut func(left int) int) (out []string) {
	var buf []byte
	for len(in) > 0 {
		n := min(max(cut(len(in)), 1), len(in))
		buf, in = append(buf, in[:n]...), in[n:]
	next:
		for {
			kind, skip, n, e := f.Next(buf)
			switch kind {
			case FrameError:
				return append(out, "error "+e.Error())
			case FramePing:
				out = append(out, "ping")
			case FrameMessage:
				out = append(out, string(buf[skip:n]))
			case FrameNeedMore:
				buf = buf[n:]
				break next
			}
			buf = buf[n:]
		}
	}
	return out
}

// TestFramerCuts cuts a stream at every offset.
func TestFramerCuts(t *testing.T) {
	inv := load(t, "invite.sip")
	stream := bytes.Join([][]byte{[]byte("\r\n\r\n\r\n"), inv, []byte("\r\n"), inv, []byte("\r\n\r\n")}, nil)
	want := frames(Framer{}, stream, func(left int) int { return left })
	if len(want) != 4 || want[0] != "ping" || want[1] != string(inv) || want[2] != string(inv) || want[3] != "ping" {
		t.Fatalf("in one piece: %q", want)
	}
	for i := 1; i < len(stream); i++ {
		first := true
		got := frames(Framer{}, stream, func(left int) int {
			if first {
				first = false
				return i
			}
			return left
		})
		if strings.Join(got, "|") != strings.Join(want, "|") {
			t.Fatalf("cut at %d: %q", i, got)
		}
	}
	if got := frames(Framer{}, stream, func(int) int { return 1 }); strings.Join(got, "|") != strings.Join(want, "|") {
		t.Fatalf("byte by byte: %q", got)
	}
}

func FuzzStream(f *testing.F) {
	tsv, err := os.ReadFile("testdata/stream.tsv")
	if err != nil {
		f.Fatal(err)
	}
	for row := range strings.Lines(string(tsv)) {
		if col := strings.Split(row, "\t"); col[1] != "BIG" && col[0] != "name" {
			f.Add(unescape(f, col[1]), uint32(len(row)))
		}
	}
	f.Fuzz(func(t *testing.T, in []byte, seed uint32) {
		whole := frames(Framer{MaxSize: 2000}, in, func(left int) int { return left })
		rnd := seed
		cut := frames(Framer{MaxSize: 2000}, in, func(int) int {
			rnd = rnd*1664525 + 1013904223
			return int(rnd >> 28)
		})
		if strings.Join(whole, "\x00") != strings.Join(cut, "\x00") {
			t.Errorf("%q: in one piece %q, cut %q", in, whole, cut)
		}
	})
}
