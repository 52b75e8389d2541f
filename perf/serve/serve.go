// Package serve starts a SIP server, kahea or Kamailio, for a program that puts load on it, and ends it again.
package serve

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Server is a binary with what is special about its command line.
type Server struct {
	Name string
	Path string
	Args []string
}

// Options are the arguments that all servers get.
type Options struct {
	Addr      netip.AddrPort // of UDP and TCP; the zero value: a free port of 127.0.0.1
	Workers   int            // UDP workers, and TCP workers; 0: what the configuration says
	Allocator string         // of shared memory
	Shm, Pkg  int            // MB
}

// Process is a server that runs.
type Process struct {
	Server
	Addr  netip.AddrPort
	Ready time.Duration // from exec to the first answered OPTIONS
	Young bool          // it is stopped as soon as it answers: Kamailio may then overlook SIGTERM for good, and is killed
	Dir   string        // its log and its control socket
	Cmd   *exec.Cmd
	done  chan error // what Wait said
}

// ErrEnded says that the server has ended by itself.
var ErrEnded = errors.New("ended by itself")

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
)

// Start runs the server and returns when it answers. Its files are in dir.
func (o Options) Start(s Server, cfg, dir string, defines []string) (*Process, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	cfg, err := filepath.Abs(cfg)
	if err != nil {
		return nil, err
	}
	addr := o.Addr
	if !addr.IsValid() {
		if addr, err = FreePort(); err != nil {
			return nil, err
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"-DD", "-E", "-f", cfg, "-l", "udp:" + addr.String(), "-l", "tcp:" + addr.String(), "-a", "off", "-Y", dir,
		"-P", filepath.Join(dir, "pid"), "-m", strconv.Itoa(o.Shm), "-M", strconv.Itoa(o.Pkg), "-x", o.Allocator}
	if o.Workers > 0 {
		args = append(args, "-n", strconv.Itoa(o.Workers), "-N", strconv.Itoa(o.Workers))
	}
	for _, d := range defines {
		args = append(args, "-A", d)
	}
	p := &Process{Server: s, Addr: addr, Dir: dir, Cmd: exec.Command(s.Path, append(args, s.Args...)...), done: make(chan error, 1)}
	p.Cmd.Stdout, p.Cmd.Stderr = log, log
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	probe, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	defer probe.Close()
	began := time.Now()
	if err := p.Cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.done <- p.Cmd.Wait() }()
	if err := p.await(probe, began); err != nil {
		if stopErr := p.Stop(); !errors.Is(stopErr, ErrEnded) {
			err = errors.Join(err, stopErr)
		}
		return nil, err
	}
	p.Ready = time.Since(began)
	return p, nil
}

// await sends OPTIONS, each millisecond one, until the first is answered. Before the server listens the kernel refuses them.
func (p *Process) await(probe *net.UDPConn, began time.Time) error {
	var b [4096]byte
	for i := 0; ; i++ {
		select {
		case err := <-p.done:
			p.done <- err
			return fmt.Errorf("%s %w (%v): %s", p.Name, ErrEnded, err, p.firstError())
		default:
		}
		if time.Since(began) > startTimeout {
			return fmt.Errorf("%s does not answer after %v: %s", p.Name, startTimeout, p.firstError())
		}
		// errors are the refusals; a lasting one ends in the timeout
		fmt.Fprintf(probe, "OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKprobe%d\r\nMax-Forwards: 70\r\nFrom: <sip:probe@%s>;tag=p\r\n"+
			"To: <sip:%s>\r\nCall-ID: probe-%d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", p.Addr, probe.LocalAddr(), i, p.Addr, p.Addr, i)
		if err := probe.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
			return err
		}
		if n, err := probe.Read(b[:]); err == nil && strings.HasPrefix(string(b[:n]), "SIP/2.0 ") {
			return nil
		}
	}
}

// firstError is the first line of the log that says so.
func (p *Process) firstError() string {
	f, err := os.Open(filepath.Join(p.Dir, "log"))
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	last := ""
	for sc := bufio.NewScanner(f); sc.Scan(); {
		last = sc.Text()
		if strings.Contains(last, "ERROR") || strings.Contains(last, "CRITICAL") || strings.Contains(last, "error:") {
			return last
		}
	}
	return last
}

// Kill ends main as kill -9 does and waits for it; its children are none of our business.
func (p *Process) Kill() error {
	err := p.Cmd.Process.Kill()
	<-p.done
	return err
}

// Stop ends the server and waits for it.
func (p *Process) Stop() error {
	select {
	case err := <-p.done:
		return fmt.Errorf("%s %w (%v): %s", p.Name, ErrEnded, err, p.firstError())
	default:
	}
	timeout := stopTimeout
	if p.Young {
		timeout = 2 * time.Second
	}
	for began := time.Now(); time.Since(began) < timeout; {
		// again and again: Kamailio overlooks the signal while it starts
		if err := p.Cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(time.Second):
		}
	}
	// the group is this server's own (Setpgid)
	err := syscall.Kill(-p.Cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
	if p.Young {
		return err
	}
	return errors.Join(fmt.Errorf("%s did not end within %v of SIGTERM", p.Name, stopTimeout), err)
}

// ShmUsed asks for the bytes of shared memory that are in use, allocator's overhead included.
func (p *Process) ShmUsed() (int, error) {
	out, err := exec.Command("kamcmd", "-s", "unixs:"+filepath.Join(p.Dir, "kamailio_ctl"), "core.shmmem").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("kamcmd core.shmmem: %w: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "real_used: "); ok {
			return strconv.Atoi(v)
		}
	}
	return 0, fmt.Errorf("kamcmd core.shmmem: no real_used in %q", out)
}

// FreePort is a port of 127.0.0.1 that nobody uses for UDP and TCP just now.
func FreePort() (netip.AddrPort, error) {
	for range 100 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return netip.AddrPort{}, err
		}
		a, err := netip.ParseAddrPort(l.Addr().String())
		if err != nil {
			return a, errors.Join(err, l.Close())
		}
		c, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(a))
		if err == nil {
			return a, errors.Join(c.Close(), l.Close())
		}
		if err := l.Close(); err != nil {
			return a, err
		}
	}
	return netip.AddrPort{}, errors.New("no port that is free for UDP and TCP")
}
