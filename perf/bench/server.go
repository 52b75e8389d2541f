package main

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

// server is one of the servers that are compared.
type server struct {
	Name string
	Path string
	Args []string
}

// process is a server that runs.
type process struct {
	server
	Addr  netip.AddrPort
	Ready time.Duration // from exec to the first answered OPTIONS
	young bool          // it is stopped as soon as it answers: Kamailio may then overlook SIGTERM for good, and is killed
	dir   string
	cmd   *exec.Cmd
	done  chan error // what Wait said
}

var errEnded = errors.New("ended by itself")

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
)

// start runs the server on a free port of 127.0.0.1 and returns when it answers. Its files are in dir.
func (o *options) start(s server, cfg, dir string, defines []string) (*process, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	cfg, err := filepath.Abs(cfg)
	if err != nil {
		return nil, err
	}
	addr, err := freePort()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	args := []string{"-DD", "-E", "-f", cfg, "-l", "udp:" + addr.String(), "-l", "tcp:" + addr.String(), "-a", "off", "-Y", dir,
		"-P", filepath.Join(dir, "pid"), "-n", strconv.Itoa(o.Workers), "-N", strconv.Itoa(o.Workers),
		"-m", strconv.Itoa(o.Shm), "-M", strconv.Itoa(o.Pkg), "-x", o.Allocator}
	for _, d := range defines {
		args = append(args, "-A", d)
	}
	p := &process{server: s, Addr: addr, dir: dir, cmd: exec.Command(s.Path, append(args, s.Args...)...), done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	probe, err := net.DialUDP("udp4", nil, net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	defer probe.Close()
	began := time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { p.done <- p.cmd.Wait() }()
	if err := p.await(probe, began); err != nil {
		if stopErr := p.stop(); !errors.Is(stopErr, errEnded) {
			err = errors.Join(err, stopErr)
		}
		return nil, err
	}
	p.Ready = time.Since(began)
	return p, nil
}

// await sends OPTIONS, each millisecond one, until the first is answered. Before the server listens the kernel refuses them.
func (p *process) await(probe *net.UDPConn, began time.Time) error {
	var b [4096]byte
	for i := 0; ; i++ {
		select {
		case err := <-p.done:
			p.done <- err
			return fmt.Errorf("%s %w (%v): %s", p.Name, errEnded, err, p.firstError())
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
func (p *process) firstError() string {
	f, err := os.Open(filepath.Join(p.dir, "log"))
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

// stop ends the server and waits for it.
func (p *process) stop() error {
	select {
	case err := <-p.done:
		return fmt.Errorf("%s %w (%v): %s", p.Name, errEnded, err, p.firstError())
	default:
	}
	timeout := stopTimeout
	if p.young {
		timeout = 2 * time.Second
	}
	for began := time.Now(); time.Since(began) < timeout; {
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
	// the group is this server's own (Setpgid)
	err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.done
	if p.young {
		return err
	}
	return errors.Join(fmt.Errorf("%s did not end within %v of SIGTERM", p.Name, stopTimeout), err)
}

// shmUsed asks for the bytes of shared memory that are in use, allocator's overhead included.
func (p *process) shmUsed() (int, error) {
	out, err := exec.Command("kamcmd", "-s", "unixs:"+filepath.Join(p.dir, "kamailio_ctl"), "core.shmmem").CombinedOutput()
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

// freePort is a port of 127.0.0.1 that nobody uses for UDP and TCP just now.
func freePort() (netip.AddrPort, error) {
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
