package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// nameServer answers from records on port 53 of an address of its own.
func nameServer(t *testing.T, records ...string) (host string) {
	t.Helper()
	var pc net.PacketConn
	var err error
	for range 50 {
		host, _, _ = net.SplitHostPort(freeAddr(t))
		if pc, err = net.ListenPacket("udp4", host+":53"); err == nil {
			break
		}
	}
	if err != nil {
		t.Skipf("port 53 can not be opened: %v", err)
	}
	var rrs []dns.RR
	for _, r := range records {
		rr, err := dns.NewRR(r)
		if err != nil {
			t.Fatal(err)
		}
		rrs = append(rrs, rr)
	}
	up := make(chan struct{})
	s := &dns.Server{PacketConn: pc, NotifyStartedFunc: func() { close(up) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		a := new(dns.Msg)
		a.SetReply(q)
		a.Rcode = dns.RcodeNameError
		for _, rr := range rrs {
			if strings.EqualFold(rr.Header().Name, q.Question[0].Name) {
				a.Rcode = dns.RcodeSuccess
				if rr.Header().Rrtype == q.Question[0].Qtype {
					a.Answer = append(a.Answer, rr)
				}
			}
		}
		_ = w.WriteMsg(a) // who asked may be gone
	})}
	done := make(chan error, 1)
	go func() { done <- s.ActivateAndServe() }()
	<-up
	t.Cleanup(func() { _ = s.Shutdown(); <-done })
	return host
}

// withResolver is a program that executes binary where /etc/resolv.conf names only this server.
func withResolver(t *testing.T, binary, server string) string {
	t.Helper()
	dir := t.TempDir()
	conf, script := filepath.Join(dir, "resolv.conf"), filepath.Join(dir, "run")
	for name, text := range map[string]string{
		conf:   "nameserver " + server + "\noptions timeout:1 attempts:1\n",
		script: fmt.Sprintf("#!/bin/sh\nexec unshare -m sh -c 'mount --bind %s /etc/resolv.conf && exec %s \"$@\"' sh \"$@\"\n", conf, binary),
	} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("unshare", "-m", "mount", "--bind", conf, "/etc/resolv.conf").CombinedOutput(); err != nil {
		t.Skipf("no mount namespace of our own: %s", out)
	}
	return script
}

// TestResolve: where requests to names go, and whether a name in the Via is the sender's (-oracle runs it on Kamailio).
func TestResolve(t *testing.T) {
	addr := freeAddr(t)
	host, port, _ := net.SplitHostPort(addr)
	listen := func(name, at string) *peer {
		p := newPeer(t, "udp", name, addr)
		if at != "" {
			p.pc.Close()
			pc, err := net.ListenPacket("udp4", at)
			if err != nil {
				t.Fatal(err)
			}
			p.pc, p.local = pc, at
			go p.readUDP()
		}
		return p
	}
	plainHost, _, _ := net.SplitHostPort(freeAddr(t))
	first, second, plain, alice := listen("first", ""), listen("second", ""), listen("plain", plainHost+":5060"), listen("alice", "")
	portOf := func(p *peer) string { _, x, _ := net.SplitHostPort(p.local); return x }
	server := nameServer(t,
		"first.test. 60 IN A 127.0.0.1", "second.test. 60 IN A 127.0.0.1", "plain.test. 60 IN A "+plainHost,
		"_sip._udp.srv.test. 60 IN SRV 20 0 "+portOf(second)+" second.test.", "_sip._udp.srv.test. 60 IN SRV 10 0 "+portOf(first)+" first.test.",
		`naptr.test. 60 IN NAPTR 10 10 "s" "SIP+D2U" "" _other._udp.naptr.test.`, "_other._udp.naptr.test. 60 IN SRV 10 0 "+portOf(second)+" second.test.",
		"naptr.test. 60 IN A "+plainHost,
		"me.test. 60 IN A 127.0.0.1", "other.test. 60 IN A 127.9.9.9")
	s := startBinary(t, withResolver(t, serverBinary, server), addr, fmt.Sprintf("listen=udp:%s:%s\ndisable_tcp=yes\nchildren=1\nrev_dns=yes\ndns_try_naptr=yes\n"+
		"loadmodule \"ctl.so\"\nloadmodule \"sl.so\"\nrequest_route {\n\tif (method==\"OPTIONS\") { sl_send_reply(\"200\", \"OK\"); exit; }\n\tforward();\n}\n", host, port))
	for i, c := range []struct {
		uri  string
		want *peer
	}{
		{"sip:bob@srv.test", first}, {"sip:bob@srv.test", first}, {"sip:bob@plain.test", plain}, {"sip:bob@second.test:" + portOf(second), second}, {"sip:bob@naptr.test", second},
		{"sip:bob@naptr.test;transport=udp", plain},
	} {
		id := fmt.Sprintf("resolve-%d", i)
		if err := alice.send(fmt.Appendf(nil, "MESSAGE %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: %s\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
			c.uri, alice.local, id, id)); err != nil {
			t.Fatal(err)
		}
		b, err := c.want.next()
		if err != nil {
			t.Errorf("%s: nothing came to %s: %v", c.uri, c.want.name, err)
		} else if !strings.Contains(string(b), "Call-ID: "+id) {
			t.Errorf("%s: %s got\n%s", c.uri, c.want.name, b)
		}
	}
	for _, c := range []struct {
		via      string
		received bool
	}{{"localhost", false}, {"me.test", true}, {"other.test", true}, {"nothing.test", true}} {
		if err := alice.send(fmt.Appendf(nil, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%s;branch=z9hG4bKv%s\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: via-%s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
			addr, c.via, portOf(alice), c.via, c.via)); err != nil {
			t.Fatal(err)
		}
		b, err := alice.next()
		if err != nil {
			t.Fatalf("via %s: %v", c.via, err)
		}
		if got := strings.Contains(string(b), ";received="); got != c.received {
			t.Errorf("via %s: received is %v, want %v:\n%s", c.via, got, c.received, b)
		}
	}
	s.stop()
}

// TestFailover: a request to a name whose first two addresses fail is answered by the third, in tm and over the whole server (-oracle runs it on Kamailio).
func TestFailover(t *testing.T) {
	addr := freeAddr(t)
	host, port, _ := net.SplitHostPort(addr)
	peers := []*peer{newPeer(t, "udp", "first", addr), newPeer(t, "udp", "second", addr), newPeer(t, "udp", "third", addr)}
	alice := newPeer(t, "udp", "alice", addr)
	var records []string
	for i, p := range peers {
		at, x, _ := net.SplitHostPort(p.local)
		records = append(records, fmt.Sprintf("h%d.test. 60 IN A %s", i, at), fmt.Sprintf("_sip._udp.srv.test. 60 IN SRV %d 0 %s h%d.test.", 10*(i+1), x, i))
	}
	s := startBinary(t, withResolver(t, serverBinary, nameServer(t, records...)), addr, fmt.Sprintf("listen=udp:%s:%s\ndisable_tcp=yes\nchildren=2\nuse_dns_failover=yes\n"+
		"loadmodule \"ctl.so\"\nloadmodule \"tm.so\"\nloadmodule \"sl.so\"\nmodparam(\"tm\", \"fr_timer\", 600)\n"+
		"request_route {\n\tif (method==\"OPTIONS\") { sl_send_reply(\"200\", \"OK\"); exit; }\n\tt_relay();\n}\n", host, port))
	for i := range 3 {
		if err := alice.send(fmt.Appendf(nil, "MESSAGE sip:bob@srv.test SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKf%d\r\nMax-Forwards: 70\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\nCall-ID: failover-%d\r\nCSeq: 1 MESSAGE\r\nContent-Length: 0\r\n\r\n",
			alice.local, i, i)); err != nil {
			t.Fatal(err)
		}
		got := func(p *peer) string { // its request: repetitions of one before are passed over
			for {
				b, err := p.next()
				if err != nil {
					t.Fatalf("%s: %v", p.name, err)
				}
				if strings.Contains(string(b), fmt.Sprintf("Call-ID: failover-%d", i)) {
					return string(b)
				}
			}
		}
		answer := func(p *peer, request, status string) {
			var b strings.Builder
			b.WriteString("SIP/2.0 " + status + "\r\n")
			for _, l := range strings.Split(request, "\r\n") {
				switch name, _, _ := strings.Cut(l, ":"); name {
				case "Via", "From", "To", "Call-ID", "CSeq":
					b.WriteString(l + "\r\n")
				}
			}
			if err := p.send([]byte(b.String() + "Content-Length: 0\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
		}
		got(peers[0]) // which does not answer
		answer(peers[1], got(peers[1]), "503 Service Unavailable")
		answer(peers[2], got(peers[2]), "200 OK")
		if b := got(alice); !strings.HasPrefix(b, "SIP/2.0 200") {
			t.Errorf("alice got\n%s", b)
		}
	}
	s.stop()
}
