package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestHostileTable sends the messages of testdata/hostile in one datagram, over TCP in one piece, and over TCP cut at every offset, and runs the flows there.
func TestHostileTable(t *testing.T) {
	byConfig := map[string][]hostileCase{}
	for _, c := range readHostile(t) {
		byConfig[c.config] = append(byConfig[c.config], c)
	}
	for config, l := range byConfig {
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			s := startHostileServer(t, config)
			for _, c := range l {
				t.Run(c.name, func(t *testing.T) {
					s.t, s.srv.t, s.sink.t = t, t, t
					for _, v := range c.values {
						s.run(c, v)
						if t.Failed() && *oracle == "" {
							return
						}
					}
				})
			}
			s.t, s.srv.t, s.sink.t = t, t, t
			s.end()
		})
	}
	flows, err := filepath.Glob("testdata/hostile/*.txtar")
	if err != nil || len(flows) == 0 {
		t.Fatalf("no flows in testdata/hostile: %v", err)
	}
	for _, f := range flows {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) {
			t.Parallel()
			runCase(t, f)
		})
	}
}

// run sends one message of a case in every way.
func (s *hostileServer) run(c hostileCase, v hostileValue) {
	s.t.Helper()
	fill := func(proto string) func(id, local string) []byte {
		return func(id, local string) []byte {
			return fillHostile(c.text, v.value, proto, s.srv.addr, local, id)
		}
	}
	if want := v.outcome("udp"); want != "" {
		id := s.word()
		s.check(c, v, "udp", want, s.sendUDP(fill("UDP")(id, s.udp.addr()), id, want))
	}
	if want := v.outcome("tcp"); want != "" {
		s.sendTCP(want, []int{0}, fill("TCP"), func(x *sending) { s.check(c, v, "tcp", want, x.res) })
		if n := len(fill("TCP")("wxxxxxxx", s.probe.local)); !s.t.Failed() && n > 1 {
			s.sendTCP(want, cuts(n, c.cuts), fill("TCP"), func(x *sending) { s.check(c, v, fmt.Sprintf("tcp cut at %d", x.cut), want, x.res) })
		}
	}
	s.well(v.name())
}

// cuts are the offsets at which a message of n bytes is cut: all, or so many of them, spread evenly and with the first and last ones.
func cuts(n, many int) (l []int) {
	if many == 0 || many >= n-1 {
		for i := 1; i < n; i++ {
			l = append(l, i)
		}
		return l
	}
	for i := range many {
		l = append(l, 1+i*(n-2)/max(1, many-1))
	}
	return slices.Compact(l)
}

func (s *hostileServer) check(c hostileCase, v hostileValue, how, want string, r *result) {
	s.t.Helper()
	if got := r.String(); got != want {
		text := ""
		for _, m := range slices.Concat(r.answers, r.relayed) {
			text += fmt.Sprintf("\n%.1500q", m)
		}
		s.t.Errorf("%s: %s: got %s, want %s%s", v.name(), how, got, want, text)
	}
	for _, m := range r.answers {
		if c.answer != nil && !c.answer.Match(m) {
			s.t.Errorf("%s: %s: %q is not in the answer:\n%.2000q", v.name(), how, c.answer, m)
		}
	}
	for _, m := range r.relayed {
		if c.relayed != nil && !c.relayed.Match(m) {
			s.t.Errorf("%s: %s: %q is not in what is relayed:\n%.2000q", v.name(), how, c.relayed, m)
		}
		if c.absent != nil && c.absent.Match(m) {
			s.t.Errorf("%s: %s: %q is in what is relayed:\n%.2000q", v.name(), how, c.absent, m)
		}
	}
}
