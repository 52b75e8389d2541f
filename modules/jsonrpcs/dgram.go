package jsonrpcs

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"kahea/cfglang/log"
)

// openDgram makes the datagram socket, a unix one anew.
func openDgram(p *place) (*os.File, error) {
	if addr, ok := strings.CutPrefix(p.name, "udp:"); ok {
		c, err := net.ListenPacket("udp", addr)
		if err != nil {
			return nil, err
		}
		u := c.(*net.UDPConn)
		f, err := u.File()
		return f, errors.Join(err, u.Close())
	}
	if fi, err := os.Lstat(p.name); err == nil {
		if fi.Mode()&os.ModeSocket == 0 {
			return nil, errors.New("a file that is no socket stands in its place")
		}
		if err := os.Remove(p.name); err != nil {
			return nil, err
		}
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: p.name})
	if err != nil {
		return nil, err
	}
	f, err := c.File()
	if err := errors.Join(err, c.Close(), p.own()); err != nil {
		return nil, err
	}
	return f, nil
}

const maxDatagram = 65535

func (m *mod) serveDgram(fd int) error {
	f := os.NewFile(uintptr(fd), m.dgram.name)
	if f == nil {
		return fmt.Errorf("datagram socket %s: no descriptor", m.dgram.name)
	}
	c, err := net.FilePacketConn(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("datagram socket %s: %w", m.dgram.name, err)
	}
	stopped := make(chan struct{})
	m.stop = append(m.stop, func() {
		close(stopped)
		c.Close() //nolint:errcheck // the process ends
	})
	m.reader(c)
	go func() {
		defer m.readers.Add(-1)
		b := make([]byte, maxDatagram)
		for {
			n, from, err := c.ReadFrom(b)
			if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) {
				return
			}
			if err != nil {
				m.h.Logf(log.Err, "jsonrpcs", "read datagram: %v", err)
				continue
			}
			_, response := m.run(b[:n], stopped)
			if response == nil || from == nil || from.String() == "" {
				continue // a client without an address of its own gets no answer
			}
			if err := c.SetWriteDeadline(time.Now().Add(time.Duration(m.timeout) * time.Millisecond)); err != nil {
				return
			}
			if _, err := c.WriteTo(response, from); err != nil {
				m.h.Logf(log.Err, "jsonrpcs", "reply to %s: %v", from, err)
			}
		}
	}()
	return nil
}
