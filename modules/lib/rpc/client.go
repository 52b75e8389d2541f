package rpc

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"kahea/modules"
)

// ErrReply says that what has come is no reply to the command.
var ErrReply = errors.New("the server's answer is none to this command")

// Ask runs a command of a server over its control socket (module ctl) and returns the values of the reply; its error is the server's *modules.Fault, or says what lies
// between us and the server. network and address are those of net.Dial; timeout bounds all of it.
func Ask(network, address string, timeout time.Duration, method string, params []*modules.Node) ([]*modules.Node, error) {
	end := time.Now().Add(timeout)
	c, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return nil, fmt.Errorf("no way to the server (does it load module ctl?): %w", err)
	}
	defer c.Close() //nolint:errcheck // everything was read
	if err := c.SetDeadline(end); err != nil {
		return nil, fmt.Errorf("timeout: %w", err)
	}
	cookie := rand.Uint32()
	if _, err := c.Write(AppendRequest(nil, cookie, method, params)); err != nil {
		return nil, fmt.Errorf("send %s: %w", method, err)
	}
	h, body, err := ReadPacket(c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil, fmt.Errorf("%s: no answer within %v", method, timeout)
	}
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: the server has closed the connection without an answer", method)
	}
	if err != nil {
		return nil, fmt.Errorf("answer to %s: %w", method, err)
	}
	out, err := ParseBody(body)
	if err != nil {
		return nil, fmt.Errorf("answer to %s: %w", method, err)
	}
	switch {
	case h.Type == FaultPacket && len(out) == 2:
		return nil, &modules.Fault{Code: int(out[0].Int), Text: out[1].Str}
	case h.Type == ReplyPacket && h.Cookie == cookie:
		return out, nil
	}
	return nil, fmt.Errorf("answer to %s: %w", method, ErrReply)
}

// ReadPacket reads one packet, from a stream or a datagram. body is the caller's.
func ReadPacket(c net.Conn) (h Header, body []byte, err error) {
	var b []byte
	buf := make([]byte, MaxPacket+16)
	for {
		n, err := c.Read(buf)
		b = append(b, buf[:n]...)
		h, herr := ParseHeader(b)
		switch {
		case herr == nil && len(b) >= h.Size+h.Len:
			return h, b[h.Size : h.Size+h.Len], nil
		case herr != nil && !errors.Is(herr, ErrShort):
			return h, nil, herr
		case err != nil:
			return h, nil, err
		}
	}
}
