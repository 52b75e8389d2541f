package sipparse

import (
	"os"
	"testing"
)

func load(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

// full parses everything that an ordinary script looks at.
func full(m *Msg, buf []byte) Err {
	if e := m.Parse(buf); e != OK {
		return e
	}
	if e := m.Mandatory(); e != OK {
		return e
	}
	if _, _, e := m.FromURI(); e != OK {
		return e
	}
	if _, _, e := m.ToURI(); e != OK {
		return e
	}
	if _, _, e := m.RURI(); e != OK && !m.Line.IsReply {
		return e
	}
	for v := m.Values(HdrContact); ; {
		if ok, e := v.Next(); !ok {
			return e
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.Run("msg=invite", func(b *testing.B) {
		buf := load(b, "invite.sip")
		b.SetBytes(int64(len(buf)))
		b.ReportAllocs()
		var m Msg
		for b.Loop() {
			if e := full(&m, buf); e != OK {
				b.Fatal(e)
			}
		}
	})
}

func BenchmarkParseURI(b *testing.B) {
	text := []byte("sip:alice.long-user@sip.example.com:5070;transport=tcp;lr")
	var u URI
	var g *Grammar
	for b.Loop() {
		if g.ParseURI(text, &u) != OK {
			b.Fatal("not parsed")
		}
	}
}
