package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// server is one of the two.
type server struct {
	Name string
	Path string
}

// process is a server that runs.
type process struct {
	server
	dir  string
	cmd  *exec.Cmd
	done chan error
}

const (
	startTimeout = 20 * time.Second
	stopTimeout  = 20 * time.Second
)

// start starts a server; it may not answer yet.
func (s server) start(config, dir string, args []string) (*process, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	cfg := filepath.Join(dir, "kamailio.cfg")
	if err := os.WriteFile(cfg, []byte(config), 0o644); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	all := append([]string{"-DD", "-E", "-f", cfg, "-a", "off", "-Y", dir, "-P", filepath.Join(dir, "pid"), "-n", "1", "-N", "1"}, args...)
	p := &process{server: s, dir: dir, cmd: exec.Command(s.Path, all...), done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p, nil
}

// ended tells if the process is no more, and why.
func (p *process) ended() error {
	select {
	case err := <-p.done:
		p.done <- err
		return fmt.Errorf("%s ended (%v): %s", p.Name, err, p.firstError())
	default:
		return nil
	}
}

// stop ends the server.
func (p *process) stop() error {
	for began := time.Now(); time.Since(began) < stopTimeout; {
		// again and again: Kamailio overlooks the signal while it starts
		if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(time.Second):
		}
	}
	err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
	return errors.Join(fmt.Errorf("%s did not end within %v", p.Name, stopTimeout), err)
}

// firstError is the first line of the log that says so.
func (p *process) firstError() string {
	f, err := os.Open(filepath.Join(p.dir, "log"))
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	last := ""
	for sc := bufio.NewScanner(f); sc.Scan(); {
		l := sc.Text()
		if strings.Contains(l, "ERROR") || strings.Contains(l, "CRITICAL") || strings.Contains(l, "error:") {
			return l
		}
		if strings.TrimSpace(l) != "" {
			last = l
		}
	}
	return last
}

// ask sends a probe to the server's socket at addr until it is answered. Before the server listens the kernel refuses it.
func (p *process) ask(addr, id string, timeout time.Duration) error {
	to, err := net.ResolveUDPAddr("udp4", addr)
	if err != nil {
		return err
	}
	c, err := net.DialUDP("udp4", &net.UDPAddr{IP: to.IP}, to)
	if err != nil {
		return err
	}
	defer c.Close()
	var b [4096]byte
	for began := time.Now(); time.Since(began) < timeout; {
		if err := p.ended(); err != nil {
			return err
		}
		// an error is the refusal; a lasting one ends in the timeout
		fmt.Fprintf(c, "OPTIONS sip:parity-probe@%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK-%s\r\nFrom: <sip:p@p>;tag=p\r\nTo: <sip:p@p>\r\n"+
			"Call-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", addr, c.LocalAddr(), id, id)
		if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			return err
		}
		if n, err := c.Read(b[:]); err == nil && strings.Contains(string(b[:n]), "SIP/2.0 200 ") {
			return nil
		}
	}
	return fmt.Errorf("%s does not answer at %s within %v: %s", p.Name, addr, timeout, p.firstError())
}
