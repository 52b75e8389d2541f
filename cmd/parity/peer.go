package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// event is something that arrived at a peer.
type event struct {
	peer string
	at   time.Time // when the kernel had it
	data []byte
}

// peer is a test socket. Its goroutines read and hand on; everything else is the runner's.
type peer struct {
	name string
	udp  *net.UDPConn
	tcp  net.Conn       // TA: the connection; LA: the last one accepted
	lis  net.Listener   // LA
	mu   sync.Mutex     // tcp
	wg   sync.WaitGroup // of readers of tcp
}

// marker begins a datagram that the harness sends to its own sockets: what arrived before it has been read when it is read.
const marker = "parity-marker "

// openPeer opens a peer's socket; TCP peers connect when they send for the first time.
func openPeer(name, addr string, events chan<- event) (*peer, error) {
	p := &peer{name: name}
	switch name[0] {
	case 'L':
		l, err := net.Listen("tcp4", addr)
		if err != nil {
			return nil, err
		}
		p.lis = l
		go p.accept(events)
	case 'T':
	default:
		a, err := net.ResolveUDPAddr("udp4", addr)
		if err != nil {
			return nil, err
		}
		if p.udp, err = net.ListenUDP("udp4", a); err != nil {
			return nil, err
		}
		raw, err := p.udp.SyscallConn()
		if err != nil {
			return nil, errors.Join(err, p.udp.Close())
		}
		var serr error
		if err := raw.Control(func(fd uintptr) {
			serr = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TIMESTAMPNS, 1)
		}); err != nil || serr != nil {
			return nil, errors.Join(err, serr, p.udp.Close())
		}
		go p.readUDP(events)
	}
	return p, nil
}

func (p *peer) readUDP(events chan<- event) {
	b, oob := make([]byte, 65536), make([]byte, 256)
	for {
		n, on, _, _, err := p.udp.ReadMsgUDP(b, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		events <- event{peer: p.name, at: kernelTime(oob[:on]), data: append([]byte(nil), b[:n]...)}
	}
}

// kernelTime is the time that SO_TIMESTAMPNS gave, else the present.
func kernelTime(oob []byte) time.Time {
	l, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return time.Now()
	}
	for _, m := range l {
		if m.Header.Level == syscall.SOL_SOCKET && m.Header.Type == syscall.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	return time.Now()
}

func (p *peer) accept(events chan<- event) {
	for {
		c, err := p.lis.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		p.tcp = c
		p.mu.Unlock()
		p.wg.Go(func() { p.readTCP(c, events) })
	}
}

// readTCP frames messages by Content-Length.
func (p *peer) readTCP(c net.Conn, events chan<- event) {
	r := bufio.NewReader(c)
	for {
		var b []byte
		length := 0
		for {
			l, err := r.ReadBytes('\n')
			if err != nil {
				return
			}
			b = append(b, l...)
			if n, v, ok := strings.Cut(string(l), ":"); ok && (strings.EqualFold(n, "Content-Length") || strings.EqualFold(n, "l")) {
				if _, err := fmt.Sscanf(strings.TrimSpace(v), "%d", &length); err != nil {
					length = 0
				}
			}
			if len(l) <= 2 {
				break
			}
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(r, body); err != nil {
			return
		}
		events <- event{peer: p.name, at: time.Now(), data: append(b, body...)}
	}
}

// send sends one message; a TCP peer connects to the server first, from its own port.
func (p *peer) send(b []byte, local, to string, events chan<- event) error {
	if p.udp != nil {
		a, err := net.ResolveUDPAddr("udp4", to)
		if err != nil {
			return err
		}
		_, err = p.udp.WriteToUDP(b, a)
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tcp == nil {
		if p.lis != nil {
			return fmt.Errorf("%s: the server has not connected", p.name)
		}
		a, err := net.ResolveTCPAddr("tcp4", local)
		if err != nil {
			return err
		}
		d := net.Dialer{LocalAddr: a, Timeout: 5 * time.Second}
		if p.tcp, err = d.Dial("tcp4", to); err != nil {
			return err
		}
		c := p.tcp
		p.wg.Go(func() { p.readTCP(c, events) })
	}
	_, err := p.tcp.Write(b)
	return err
}

// disconnect ends TCP connections by a reset, so that the same ports can be used again at once.
func (p *peer) disconnect() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tcp == nil {
		return nil
	}
	c := p.tcp
	p.tcp = nil
	var err error
	if t, ok := c.(*net.TCPConn); ok {
		err = t.SetLinger(0)
	}
	err = errors.Join(err, c.Close())
	p.wg.Wait() // the descriptor is closed when its reader has left it
	return err
}

func (p *peer) close() error {
	err := p.disconnect()
	if p.udp != nil {
		err = errors.Join(err, p.udp.Close())
	}
	if p.lis != nil {
		err = errors.Join(err, p.lis.Close())
	}
	if errors.Is(err, os.ErrClosed) {
		return nil
	}
	return err
}
