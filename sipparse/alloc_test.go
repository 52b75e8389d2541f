//go:build !race

package sipparse

import "testing"

func TestAllocs(t *testing.T) {
	inv := load(t, "invite.sip")
	var m Msg
	var f Framer
	params := []byte("a=1;b;c=\"x;y\"")
	for _, c := range []struct {
		name string
		f    func()
	}{
		{"parse", func() {
			if e := full(&m, inv); e != OK {
				t.Fatal(e)
			}
		}},
		{"parse error", func() { m.Parse(inv[:300]) }},
		{"find", func() {
			m.Parse(inv)
			for h := m.Find([]byte("x-none")); h != nil; h = m.FindNext(h) {
			}
			m.Find([]byte("user-agent"))
		}},
		{"params", func() {
			Param(params, "c")
		}},
		{"framer", func() {
			if k, _, _, _ := f.Next(inv); k != FrameMessage {
				t.Fatal(k)
			}
		}},
		{"error as error", func() {
			var err error = ErrVia
			_ = err.Error()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.f()
			if n := testing.AllocsPerRun(100, c.f); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
}

// A hostile message must not make the Msg heavy for good.
func TestHdrsShrink(t *testing.T) {
	var m Msg
	big := append([]byte("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n"), make([]byte, 0)...)
	for range 10000 {
		big = append(big, "X:\r\n"...)
	}
	big = append(big, '\r', '\n')
	if e := m.Parse(big); e != OK || len(m.Hdrs) != 10001 {
		t.Fatal(e, len(m.Hdrs))
	}
	m.Parse(load(t, "invite.sip"))
	if cap(m.Hdrs) > maxKeptHdrs {
		t.Errorf("capacity %d kept", cap(m.Hdrs))
	}
}
