package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/shm"
)

// TestMemWatch plays days of looks, a minute each.
func TestMemWatch(t *testing.T) {
	const day = 24 * 60
	steady := func(int) uint64 { return 1000 }
	for _, tc := range []struct {
		name    string
		minutes int
		blocks  func(minute int) uint64 // in use
		load    func(minute int) uint64 // requests a minute
		want    string                  // minutes at which it was reported
	}{
		{"idle", day, func(int) uint64 { return 0 }, steady, "[]"},
		{"steady with noise", 3 * day, func(m int) uint64 { return 500 + uint64(m*7919%97) }, steady, "[]"},
		{"leak", 2 * day, func(m int) uint64 { return 500 + uint64(m) }, steady, "[129]"},
		{"leak under noise", 2 * day, func(m int) uint64 { return 500 + 5*uint64(m) + uint64(m*7919%97) }, steady, "[129]"},
		{"from nothing", 2 * day, func(m int) uint64 { return uint64(m) }, steady, "[129]"},
		{"grows with the traffic", 8 * 60, func(m int) uint64 { return 500 + uint64(m) }, func(m int) uint64 { return 1000 + 10*uint64(m) }, "[]"},
		{"leak, and traffic rises for four hours", day, func(m int) uint64 { return 500 + uint64(m) }, func(m int) uint64 { return 1000 + 10*uint64(min(m, 240)) }, "[339]"},
		{"ebb and flow over a day", 3 * day, func(m int) uint64 { return daily(m) }, func(m int) uint64 { return 10 * daily(m) }, "[]"},
		{"fills up for an hour after the start", day, func(m int) uint64 { return uint64(min(m, 60)) * 100 }, steady, "[]"},
		{"two leaks with a rest between", 20 * 60, func(m int) uint64 { return 500 + uint64(min(m, 300)) + uint64(max(m, 600)-600) }, steady, "[129 729]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var w memWatch
			told := []int{}
			requests := int64(0)
			for m := range tc.minutes {
				n := tc.blocks(m)
				requests += int64(tc.load(m))
				ledger := []shm.TagUsage{{Module: "core", Kind: "other", Blocks: 3, Bytes: 300}, {Module: "tm", Kind: "cell", Blocks: n, Bytes: n * 500}}
				w.look(ledger, requests, func(g growth) {
					told = append(told, m)
					if g.now.Kind != "cell" || g.now.Blocks <= g.before.Blocks || g.requests > g.requestsBefore+g.requestsBefore/10 {
						t.Errorf("reported: %+v", g)
					}
				})
			}
			if got := fmt.Sprint(told); got != tc.want {
				t.Errorf("reported in minutes %s, want %s", got, tc.want)
			}
		})
	}
}

// daily rises and falls over a day.
func daily(m int) uint64 {
	m %= 24 * 60
	return 100 + uint64(min(m, 24*60-m))
}

// TestMemWarning runs the slow timer's clock: what an operator finds in the log.
func TestMemWarning(t *testing.T) {
	s, out := memServer(t)
	leak := s.arena.TagFor("usrloc", "contact")
	for m := range 180 {
		if _, err := s.arena.Alloc(1000, leak); err != nil {
			t.Fatal(err)
		}
		s.tickPeriodic(uint64(m+1) * 60 * 16)
	}
	want := " WARNING: <core>: shared memory of usrloc/contact grows without end: "
	if log := out(); strings.Count(log, "grows without end") != 1 || !strings.Contains(" "+log, want) {
		t.Errorf("log is %q, want one line with %q", log, want)
	}
}

// TestReserveWarning: refusals are logged by number, and not again while there are no new ones.
func TestReserveWarning(t *testing.T) {
	s, out := memServer(t)
	s.arena.SetReserve(50)
	tag := s.arena.TagFor("tm", "cell")
	for m := range uint64(6) {
		for range m % 3 * 2 { // 0 2 4 0 2 4
			if _, err := s.arena.AllocUnreserved(3<<20, tag); err == nil {
				t.Fatal("the reserve was given away")
			}
		}
		s.tickPeriodic((m + 1) * 60 * 16) // the first one only sets the clock
	}
	var got []string
	for _, m := range regexp.MustCompile(`WARNING: <core>: shared memory is short: (\d+) requests`).FindAllStringSubmatch(out(), -1) {
		got = append(got, m[1])
	}
	if fmt.Sprint(got) != "[2 4 2 4]" {
		t.Errorf("reported %v: %q", got, out())
	}
}

func TestMemCommand(t *testing.T) {
	s, _ := memServer(t)
	s.arena.SetReserve(25)
	for range 3 {
		if _, err := s.arena.Alloc(1000, s.arena.TagFor("tm", "cell")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.arena.AllocUnreserved(int(s.arena.Usage().Free), s.arena.TagFor("tm", "cell")); err == nil {
		t.Fatal("the reserve was given away")
	}
	var r modules.Request
	if err := s.host.Commands.Find("kahea.mem").Run(&r); err != nil || len(r.Out) != 1 {
		t.Fatalf("%v, %d structs", err, len(r.Out))
	}
	n := r.Out[0]
	text := node(n)
	for _, want := range []string{
		"{module:tm kind:cell blocks:3 bytes:3072 mean:1024}",
		"{up_to:1024 blocks:3 bytes:3072}",
		fmt.Sprintf("total:%d ", s.arena.Usage().Total),
		fmt.Sprintf("largest_free:%d reserve:%d refused:1}", s.arena.Usage().LargestFree, s.arena.Usage().Reserve),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q: %s", want, text)
		}
	}
	last := int64(1 << 62)
	for _, o := range n.Members[0].Members {
		if o.Members[3].Int > last || o.Members[2].Int == 0 {
			t.Errorf("owners are not by falling bytes, or one has none: %s", node(n.Members[0]))
		}
		last = o.Members[3].Int
	}
}

// node is a reply on one line.
func node(n *modules.Node) string {
	switch n.Kind {
	case modules.KindInt:
		return fmt.Sprint(n.Int)
	case modules.KindStr:
		return n.Str
	}
	var l []string
	for i, m := range n.Members {
		if n.Kind == modules.KindStruct {
			l = append(l, n.Names[i]+":"+node(m))
		} else {
			l = append(l, node(m))
		}
	}
	if n.Kind == modules.KindStruct {
		return "{" + strings.Join(l, " ") + "}"
	}
	return "[" + strings.Join(l, " ") + "]"
}

// memServer is a server with a script and shared memory, and what it logs.
func memServer(t *testing.T) (*server, func() string) {
	t.Helper()
	c, d := loadText(t, "request_route { exit; }\n")
	s, err := newServer(sealed{Options: &options{}, Name: "test.cfg", UID: -1, GID: -1}, c, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	s.proc.Log = log.New(log.Options{Stderr: true, Out: &out}, log.Warn)
	if err := s.setup(); err != nil {
		t.Fatalf("%v: %+v", err, d)
	}
	if s.arena, err = shm.Create(4<<20, shm.QM); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.arena.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.counters(); err != nil {
		t.Fatal(err)
	}
	return s, out.String
}
