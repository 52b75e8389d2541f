package ctl

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
)

// defaultPort is where kamcmd looks when none is given.
const defaultPort = 2049

// spec is a socket to serve.
type spec struct {
	proto string // unixs, unixd, udp, tcp
	path  string // unix
	addr  string // host without brackets; "" any
	port  int
}

// parseSpec reads [proto:]address[:port].
func parseSpec(s string) (spec, error) {
	x := spec{proto: "udp", port: defaultPort}
	rest := s
	if p, r, ok := strings.Cut(s, ":"); ok {
		switch p {
		case "unix", "unixs":
			x.proto, rest = "unixs", r
		case "unixd", "udp", "tcp":
			x.proto, rest = p, r
		case "sctp":
			return x, fmt.Errorf("%q: sctp is not there", s)
		}
	} else if strings.Contains(s, "/") {
		x.proto = "unixs"
	}
	if rest == "" {
		return x, fmt.Errorf("%q: no address", s)
	}
	if strings.HasPrefix(x.proto, "unix") {
		x.path, x.port = rest, 0
		return x, nil
	}
	host := rest
	if i := strings.LastIndexByte(rest, ':'); i >= 0 && !strings.HasSuffix(rest, "]") && (rest[0] == '[' || strings.IndexByte(rest, ':') == i) {
		n, err := strconv.ParseUint(rest[i+1:], 10, 16)
		if err != nil || n == 0 {
			return x, fmt.Errorf("%q: bad port", s)
		}
		host, x.port = rest[:i], int(n)
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if host != "*" {
		x.addr = host
	}
	return x, nil
}

// name is the protocol as ctl.who and ctl.listen call it.
func (s *spec) name() string {
	switch s.proto {
	case "unixs":
		return "unix_stream"
	case "unixd":
		return "unix_dgram"
	}
	return s.proto
}

func (s *spec) host() string {
	switch {
	case s.path != "":
		return s.path
	case s.addr == "":
		return "*"
	}
	return s.addr
}

func (s *spec) portText() string {
	if s.path != "" {
		return ""
	}
	return strconv.Itoa(s.port)
}

// open makes the socket. A unix socket that stands in its place is replaced; anything else there is an error.
func (s *spec) open(mode os.FileMode, uid, gid int) (f *os.File, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("control socket %s:%s: %w", s.proto, s.host(), err)
		}
	}()
	if s.path != "" {
		if fi, err := os.Lstat(s.path); err == nil {
			if fi.Mode()&os.ModeSocket == 0 {
				return nil, errors.New("a file that is no socket stands in its place")
			}
			if err := os.Remove(s.path); err != nil {
				return nil, err
			}
		}
	}
	hostPort := net.JoinHostPort(s.addr, s.portText())
	switch s.proto {
	case "unixs":
		l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: s.path})
		if err != nil {
			return nil, err
		}
		l.SetUnlinkOnClose(false)
		f, err = take(l)
		if err != nil {
			return nil, err
		}
	case "tcp":
		l, err := net.Listen("tcp", hostPort)
		if err != nil {
			return nil, err
		}
		return take(l.(*net.TCPListener))
	case "unixd":
		c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: s.path})
		if err != nil {
			return nil, err
		}
		f, err = c.File()
		if err = errors.Join(err, c.Close()); err != nil {
			return nil, err
		}
	default:
		c, err := net.ListenPacket("udp", hostPort)
		if err != nil {
			return nil, err
		}
		return take(c.(*net.UDPConn))
	}
	if err := os.Chmod(s.path, mode); err != nil {
		return nil, err
	}
	if uid >= 0 || gid >= 0 {
		if err := os.Chown(s.path, uid, gid); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// take gets the descriptor out of a net object, which is closed.
func take(c interface {
	File() (*os.File, error)
	Close() error
}) (*os.File, error) {
	f, err := c.File()
	return f, errors.Join(err, c.Close())
}
