package compile_test

import (
	"os"
	"strings"
	"testing"

	"kahea/cfglang/route"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/textops"
	"kahea/sipparse"
)

// statementKinds are the kinds of perf/script: name, what runs once, what runs each turn.
func statementKinds(t testing.TB) (l [][3]string) {
	t.Helper()
	b, err := os.ReadFile("../../perf/script/statements.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, blk := range strings.Split("\n"+string(b), "\n--- ")[1:] {
		name, body, _ := strings.Cut(blk, "\n")
		before, after, ok := strings.Cut(body, "===\n")
		if !ok {
			before, after = "", body
		}
		l = append(l, [3]string{name, before, after})
	}
	return l
}

const benchMessage = "OPTIONS sip:k0@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5070;branch=z9hG4bKscript\r\nMax-Forwards: 70\r\nFrom: \"Alice\" <sip:alice@example.com>;tag=p\r\n" +
	"To: <sip:01234567@example.com>\r\nCall-ID: script-1@example.com\r\nCSeq: 1 OPTIONS\r\nUser-Agent: bench 1.0\r\nX-Number: 0123456789\r\nContent-Length: 0\r\n\r\n"

// turn is a script that has run to the loop of a kind, and what runs one turn of it.
func turn(t testing.TB, before, body string) func() {
	s := modtest.Start(t, "loadmodule \"pv.so\"\nloadmodule \"sl.so\"\nloadmodule \"textops.so\"\nrequest_route { route(BEFORE); }\n"+
		"route[BEFORE] {\n"+before+"\n;}\nroute[TURN] {\n"+body+"\n$var(i) = $var(i) + 1;\nif ($var(i) < 100000) return; }\n")
	c := s.Proc.Get()
	msg := []byte(benchMessage)
	if err := c.Msg.Parse(msg); err != sipparse.OK {
		t.Fatal(err)
	}
	var run *route.Route
	for _, r := range s.Proc.Prog.Named {
		if r.Name == "TURN" {
			run = r
		}
		if r.Name == "BEFORE" {
			c.RunTop(r, route.InRequest)
		}
	}
	mark := 0
	return func() {
		c.RunTop(run, route.InRequest)
		if mark++; mark%64 == 0 {
			c.Scratch.Reset()
		}
	}
}

// BenchmarkStatements is a turn of each kind of perf/script; compare with make bench-script.
func BenchmarkStatements(b *testing.B) {
	for _, k := range statementKinds(b) {
		b.Run(strings.ReplaceAll(k[0], " ", "-"), func(b *testing.B) {
			f := turn(b, k[1], k[2])
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}
