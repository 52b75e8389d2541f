package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// probes is from how many ports a socket is asked: with four workers, one is left out once in 10,000 times.
const probes = 32

// answers waits until OPTIONS from many sources are answered over UDP; each asks again every 10 ms.
func answers(a netip.AddrPort, within time.Duration) error {
	var wg sync.WaitGroup
	errs := make([]error, probes)
	end := time.Now().Add(within)
	for i := range errs {
		wg.Go(func() { errs[i] = ask("udp4", a, end) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// ask sends OPTIONS until there is a reply. Over TCP each attempt is a new connection.
func ask(network string, a netip.AddrPort, end time.Time) (err error) {
	every, via := 10*time.Millisecond, "UDP"
	if network == "tcp4" {
		every, via = 500*time.Millisecond, "TCP"
	}
	var c net.Conn
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	b := make([]byte, 4096)
	for n := 0; time.Now().Before(end); n++ {
		if c == nil {
			if c, err = net.DialTimeout(network, a.String(), every); err != nil {
				c = nil
				time.Sleep(time.Millisecond) // refused at once
				continue
			}
		}
		from := c.LocalAddr().String()
		if _, err = fmt.Fprintf(c, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/%s %s;branch=z9hG4bKask%d;rport\r\nMax-Forwards: 70\r\nFrom: <sip:ask@%s>;tag=a\r\n"+
			"To: <sip:%s>\r\nCall-ID: ask-%s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", a, via, from, n, a, a, from); err == nil {
			if err = c.SetReadDeadline(time.Now().Add(every)); err != nil {
				return err
			}
			var k int
			if k, err = c.Read(b); err == nil {
				if strings.HasPrefix(string(b[:k]), "SIP/2.0 200") {
					return nil
				}
				return fmt.Errorf("OPTIONS to %s %s: %q", via, a, b[:min(k, 60)])
			}
		}
		if errors.Is(err, io.EOF) || network == "tcp4" {
			c.Close()
			c = nil
		}
	}
	return fmt.Errorf("OPTIONS to %s %s from a port of its own: %w (%w)", via, a, errLost, err)
}
