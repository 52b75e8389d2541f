package corex

import "testing"

// TestSockText: what no parity case can hold, because 5.6.3 reads beyond it.
func TestSockText(t *testing.T) {
	for _, c := range []struct {
		text, proto, host, port string
		ok                      bool
	}{
		{"udp:[::1]:7", "udp", "[::1]", "7", true},
		{"udp:[::1", "", "", "", false},
		{"[::1]x", "", "", "", false},
		{"tcp:h:", "", "", "", false},
	} {
		var s sockText
		ok := s.parse([]byte(c.text))
		if ok != c.ok || ok && (string(s.proto) != c.proto || string(s.host) != c.host || string(s.port) != c.port) {
			t.Errorf("%s: %v %q %q %q", c.text, ok, s.proto, s.host, s.port)
		}
	}
}
