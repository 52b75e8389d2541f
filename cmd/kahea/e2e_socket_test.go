package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// peer is a named end of a case: a UDP socket, a TCP connection to the server, or a TCP listener with the connections it took.
type peer struct {
	name   string
	to     string // the server's address, for UDP
	local  string
	pc     net.PacketConn
	ln     net.Listener
	mu     sync.Mutex
	conn   net.Conn   // TCP: the connection, the last one that was accepted
	all    []net.Conn // TCP
	in     chan []byte
	seen   [][]byte // what was read, in order
	fences int
}

func openUDP(t testing.TB) *udpSocket {
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return &udpSocket{PacketConn: pc}
}

// udpSocket asks a server and waits for its answer.
type udpSocket struct {
	net.PacketConn
	to net.Addr
}

func (u *udpSocket) addr() string { return u.LocalAddr().String() }

func (u *udpSocket) write(b []byte) error {
	if u.to == nil {
		// the R-URI of a probe is the server's address
		_, rest, _ := strings.Cut(string(b), "sip:")
		host, _, _ := strings.Cut(rest, " ")
		a, err := net.ResolveUDPAddr("udp4", host)
		if err != nil {
			return err
		}
		u.to = a
	}
	_, err := u.WriteTo(b, u.to)
	return err
}

func (u *udpSocket) read(d time.Duration) ([]byte, error) {
	b := make([]byte, 65536)
	u.SetReadDeadline(time.Now().Add(d))
	n, _, err := u.ReadFrom(b)
	return b[:n], err
}

func newPeer(t testing.TB, kind, name, server string) *peer {
	p := &peer{name: name, to: server, in: make(chan []byte, 1024)}
	switch kind {
	case "udp":
		u := openUDP(t)
		p.pc, p.local = u.PacketConn, u.addr()
		go p.readUDP()
	case "tcp":
		p.local = "127.0.0.1:0" // known when connected
	case "listen":
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p.ln, p.local = l, l.Addr().String()
		go p.accept()
	default:
		t.Fatalf("socket kind %q", kind)
	}
	t.Cleanup(p.close)
	return p
}

func (p *peer) close() {
	if p.pc != nil {
		p.pc.Close()
	}
	if p.ln != nil {
		p.ln.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.all {
		c.Close()
	}
}

func (p *peer) connect() error {
	c, err := net.DialTimeout("tcp4", p.to, patience)
	if err != nil {
		return err
	}
	p.local = c.LocalAddr().String()
	p.use(c)
	return nil
}

func (p *peer) use(c net.Conn) {
	p.mu.Lock()
	p.conn, p.all = c, append(p.all, c)
	p.mu.Unlock()
	go p.readTCP(c)
}

func (p *peer) accept() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.use(c)
	}
}

func (p *peer) readUDP() {
	b := make([]byte, 65536)
	for {
		n, _, err := p.pc.ReadFrom(b)
		if err != nil {
			return
		}
		p.in <- bytes.Clone(b[:n])
	}
}

func (p *peer) readTCP(c net.Conn) {
	r := bufio.NewReaderSize(c, 65536)
	for {
		m, err := readMessage(r)
		if err != nil {
			return
		}
		p.in <- m
	}
}

// readMessage reads a message of a stream; line ends between messages are skipped.
func readMessage(r *bufio.Reader) ([]byte, error) {
	var b []byte
	length := 0
	for {
		l, err := r.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		if len(b) == 0 && len(bytes.TrimSpace(l)) == 0 {
			continue
		}
		b = append(b, l...)
		if len(bytes.TrimSpace(l)) == 0 {
			break
		}
		if name, v, ok := bytes.Cut(l, []byte{':'}); ok && textproto.CanonicalMIMEHeaderKey(string(name)) == "Content-Length" {
			n, err := strconv.Atoi(string(bytes.TrimSpace(v)))
			if err != nil {
				return nil, err
			}
			length = n
		}
	}
	head := len(b)
	b = append(b, make([]byte, length)...)
	_, err := io.ReadFull(r, b[head:])
	return b, err
}

var errNotConnected = errors.New("not connected")

func (p *peer) send(b []byte) error {
	if p.pc != nil {
		a, err := net.ResolveUDPAddr("udp4", p.to)
		if err != nil {
			return err
		}
		_, err = p.pc.WriteTo(b, a)
		return err
	}
	p.mu.Lock()
	c := p.conn
	p.mu.Unlock()
	if c == nil {
		return errNotConnected
	}
	_, err := c.Write(b)
	return err
}

// next is the next message that is no retransmission of an earlier one: those depend on time, which a case does not.
func (p *peer) next() ([]byte, error) {
	timeout := time.After(patience)
	for {
		select {
		case b := <-p.in:
			if p.known(b) {
				continue
			}
			p.seen = append(p.seen, b)
			return b, nil
		case <-timeout:
			return nil, fmt.Errorf("%s: nothing arrived within %v", p.name, patience)
		}
	}
}

// again waits for a retransmission of a message that was read before.
func (p *peer) again() ([]byte, error) {
	select {
	case b := <-p.in:
		if !p.known(b) {
			return b, fmt.Errorf("%s: a new message instead of a retransmission", p.name)
		}
		return b, nil
	case <-time.After(patience):
		return nil, fmt.Errorf("%s: no retransmission within %v", p.name, patience)
	}
}

func (p *peer) known(b []byte) bool {
	for _, s := range p.seen {
		if bytes.Equal(s, b) {
			return true
		}
	}
	return false
}

// fence sends an OPTIONS and wants its answer to be the next message: then nothing that the server did with this peer's earlier
// messages has sent anything here.
func (p *peer) fence() error {
	p.fences++
	id := fmt.Sprintf("%s-%d", p.name, p.fences)
	m := probe(p.to, p.local, id)
	if p.pc == nil {
		m = strings.Replace(m, "SIP/2.0/UDP", "SIP/2.0/TCP", 1)
	}
	if err := p.send([]byte(m)); err != nil {
		return err
	}
	b, err := p.next()
	if err != nil {
		return err
	}
	if !bytes.Contains(b, []byte("Call-ID: probe-"+id+"\r\n")) {
		return fmt.Errorf("%s got something that it should not:\n%s", p.name, b)
	}
	return nil
}
