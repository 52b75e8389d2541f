package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kahea/perf/serve"
)

// pairs is how many callers there are, each with a callee: SIPp sends all calls from one port, and one source meets one worker.
const pairs = 4

const (
	callerFile = "perf/testdata/sipp/caller.xml"
	calleeFile = "cmd/kahea/testdata/sipp/callee.xml"
)

// sippShare is which share of the calls SIPp makes here.
func (o *options) sippShare() float64 {
	if o.SIPp > 0 {
		if _, err := exec.LookPath("sipp"); err != nil {
			fmt.Printf("no SIPp (Debian's sip-tester) here, all calls are made by our own generator: %v\n", err)
			return 0
		}
	}
	return o.SIPp
}

// phones are SIPp callers and callees with a server between them. They retransmit as RFC 3261 says.
type phones struct {
	callers, callees []*sipp
}

// sipp is one process of it.
type sipp struct {
	name  string
	cmd   *exec.Cmd
	stats string // its file, to which it adds a line a second
	log   bytes.Buffer
	done  chan struct{}
	err   error
}

// startPhones begins with rate calls a second, over UDP, through server. Each call lasts callTime.
func startPhones(dir string, server netip.AddrPort, rate float64) (*phones, error) {
	p := &phones{}
	fail := func(err error) (*phones, error) {
		p.kill()
		return nil, err
	}
	for i := range pairs {
		at, err := serve.FreePort()
		if err != nil {
			return fail(err)
		}
		callee, err := startSIPp(dir, fmt.Sprint("callee", i), calleeFile, "-p", strconv.Itoa(int(at.Port())), server.String())
		if err != nil {
			return fail(err)
		}
		p.callees = append(p.callees, callee)
		caller, err := startSIPp(dir, fmt.Sprint("caller", i), callerFile, "-rsa", server.String(), "-r", strconv.Itoa(max(1, int(rate/pairs+0.5))),
			"-d", strconv.Itoa(int(callTime.Milliseconds())), "-l", "10000", "-max_retrans", "10", at.String())
		if err != nil {
			return fail(err)
		}
		p.callers = append(p.callers, caller)
	}
	return p, nil
}

func startSIPp(dir, name, file string, args ...string) (*sipp, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	x := &sipp{name: name, stats: filepath.Join(dir, name+".csv"), done: make(chan struct{})}
	if err := os.Remove(x.stats); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	// the watchdog ends SIPp when the machine is busy for long
	all := []string{"-sf", file, "-i", "127.0.0.1", "-nostdin", "-nd", "-watchdog_interval", "0", "-trace_stat", "-stf", x.stats, "-fd", "1",
		"-trace_err", "-error_file", filepath.Join(dir, name+".errors"), "-buff_size", "4000000"}
	x.cmd = exec.Command("sipp", append(all, args...)...)
	x.cmd.Dir = dir
	x.cmd.Stdout, x.cmd.Stderr = nil, &x.log
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := x.cmd.Start(); err != nil {
		return nil, fmt.Errorf("sipp %s: %w", name, err)
	}
	go func() {
		x.err = x.cmd.Wait()
		close(x.done)
	}()
	return x, nil
}

// end lets the callers finish what they have begun.
func (p *phones) end() error {
	err := finish(p.callers)
	// a callee may have been called twice for one call, and waits for an ACK that nobody sends
	p.kill()
	return err
}

// finish ends all of l as soon as their calls are over; what takes longer than any timer does not end.
func finish(l []*sipp) error {
	var errs []error
	for _, x := range l {
		if err := x.cmd.Process.Signal(syscall.SIGUSR1); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, fmt.Errorf("sipp %s: %w", x.name, err))
		}
	}
	late := time.NewTimer(2 * patience)
	defer late.Stop()
	for _, x := range l {
		select {
		case <-x.done:
		case <-late.C:
			return errors.Join(append(errs, fmt.Errorf("sipp %s still has calls %v after the last has begun: %w", x.name, 2*patience, errLost))...)
		}
		// 1: calls failed, which the statistics say better
		if code := x.cmd.ProcessState.ExitCode(); code != 0 && code != 1 {
			errs = append(errs, fmt.Errorf("sipp %s: %w: %s", x.name, x.err, strings.TrimSpace(x.log.String())))
		}
	}
	return errors.Join(errs...)
}

func (p *phones) kill() {
	for _, x := range append(p.callers, p.callees...) {
		_ = x.cmd.Process.Kill() // it may have ended
		<-x.done
	}
}

// statistics are the last line of SIPp's statistics, by column; they are up to a second old.
func (x *sipp) statistics() (map[string]int, error) {
	f, err := os.Open(x.stats)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // not a second old
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		return nil, nil // it is being written
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	b := make([]byte, min(fi.Size()-int64(len(head)), 8192))
	if _, err := f.ReadAt(b, fi.Size()-int64(len(b))); err != nil {
		return nil, fmt.Errorf("sipp %s: statistics: %w", x.name, err)
	}
	b = b[:bytes.LastIndexByte(b, '\n')+1] // whole lines
	last := strings.TrimSpace(string(b))
	last = last[strings.LastIndexByte(last, '\n')+1:]
	names, values := strings.Split(strings.TrimSpace(head), ";"), strings.Split(last, ";")
	if last == "" {
		return nil, nil
	}
	if len(values) < len(names)-1 {
		return nil, fmt.Errorf("sipp %s: statistics: %d columns, %d values", x.name, len(names), len(values))
	}
	m := map[string]int{}
	for i, n := range names {
		if i < len(values) {
			if v, err := strconv.Atoi(values[i]); err == nil { // the others are times
				m[n] = v
			}
		}
	}
	return m, nil
}

// sum adds up a column.
func sum(l []*sipp, column string) (n int, err error) {
	for _, x := range l {
		m, err := x.statistics()
		if err != nil {
			return 0, err
		}
		n += m[column]
	}
	return n, nil
}

// refused is how many requests were answered 500 or 503; such a call has not failed.
func (p *phones) refused() (int, error) { return sum(p.callers, "refused(C)") }

// count is what the callers say.
func (p *phones) count() (c count, err error) {
	refused, err := p.refused()
	if err != nil {
		return c, err
	}
	for _, x := range []struct {
		l   []*sipp
		col string
		to  *int
	}{
		{p.callers, "TotalCallCreated", &c.Started}, {p.callers, "SuccessfulCall(C)", &c.Done}, {p.callers, "FailedCall(C)", &c.Failed}, {p.callers, "CurrentCall", &c.Lost},
		{p.callers, "Retransmissions(C)", &c.Retransmits}, {p.callees, "Retransmissions(C)", &c.Retransmits},
	} {
		n, err := sum(x.l, x.col)
		if err != nil {
			return c, err
		}
		*x.to += n
	}
	c.Done -= refused
	c.Failed += refused
	select {
	case <-p.callers[0].done:
	default:
		c.Lost = 0 // they are going on
	}
	return c, nil
}

// report prints what came of it, after the end.
func (p *phones) report(squeezed bool) error {
	c, err := p.count()
	if err != nil {
		return err
	}
	refused, err := p.refused()
	if err != nil {
		return err
	}
	fmt.Printf("calls of SIPp: %d started, %d done, %d failed, %d lost, %d retransmissions\n", c.Started, c.Done, c.Failed, c.Lost, c.Retransmits)
	if refused > 0 {
		fmt.Printf("    500, 503: %d\n", refused)
	}
	if squeezed {
		c.Failed -= refused
	}
	if c.Started == 0 || c.Failed > 0 || c.Lost > 0 {
		return fmt.Errorf("SIPp: of %d calls %d failed, %d were lost%s", c.Started, c.Failed, c.Lost, p.errors())
	}
	return nil
}

// errors is the end of what the callers complained of.
func (p *phones) errors() string {
	var b strings.Builder
	for _, x := range p.callers {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(x.stats), x.name+".errors"))
		if err == nil && len(text) > 0 {
			fmt.Fprintf(&b, "\n%s: %s", x.name, text[max(0, len(text)-1500):])
		}
	}
	return b.String()
}
