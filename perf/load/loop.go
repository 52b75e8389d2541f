package load

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// loop is one run.
type loop struct {
	cfg Config
	res *Result
	err error
	run uint32 // random: tells this run's branches and Call-IDs from others'
	t0  time.Time

	ep      int
	flows   map[int32]*flow // by descriptor
	sources []*flow
	dirty   []*flow
	in      []mmsghdr
	inIov   [batch]unix.Iovec
	inBuf   []byte

	server string
	uases  []string // addresses
	branch []byte   // "branch=" and what all branches begin with
	via    []byte   // of requests in dialogs, up to sent-by

	slots   []slot
	spare   []int // free slots, the last one first
	high    int   // slots that have been used
	active  int
	seq     uint32
	last    int64
	dialogs bool
	ringing int
	over    bool // Config.Second wants no more
	routes  [][]byte
}

const sweepEvery = int64(100 * time.Millisecond)

// errDone ends a run early from within.
var errDone = errors.New("done")

// Run does one run. A transaction that fails or is lost is counted, not an error; an error means that the run itself could not go on.
// For Ring, hold is called when all Config.Count calls ring and may take its time; the calls are then given up. It may be nil.
func Run(cfg Config, hold func() error) (*Result, error) {
	l, err := newLoop(cfg)
	if err != nil {
		return nil, err
	}
	defer l.close()
	if err := l.open(); err != nil {
		return nil, err
	}
	// a thread of its own: the timer slack below is the thread's
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, 1000, 0, 0, 0); err != nil {
		return nil, fmt.Errorf("timer slack: %w", err)
	}
	l.t0 = time.Now()
	if err := l.loop(hold); err != nil && !errors.Is(err, errDone) {
		return nil, err
	}
	l.res.Elapsed = time.Duration(l.last)
	return l.res, nil
}

func newLoop(cfg Config) (*loop, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	l := &loop{cfg: cfg, res: &Result{}, run: rand.Uint32(), ep: -1, flows: map[int32]*flow{}, server: cfg.Server.String()}
	l.dialogs = cfg.Scenario == Call || cfg.Scenario == Ring || cfg.Scenario == Lookup
	n := cfg.Window
	if cfg.Rate > 0 {
		n = min(maxSlots, int(cfg.Rate*cfg.Timeout.Seconds())+cfg.Window)
	}
	if cfg.Scenario == Ring {
		n = min(maxSlots, cfg.Count+cfg.Window)
	}
	l.slots = make([]slot, n)
	for i := n - 1; i >= 0; i-- {
		l.spare = append(l.spare, i)
	}
	l.in, l.inBuf = make([]mmsghdr, batch), make([]byte, batch*maxMessage)
	for i := range l.in {
		l.inIov[i].Base = &l.inBuf[i*maxMessage]
		l.inIov[i].SetLen(maxMessage)
		l.in[i].Hdr.Iov = &l.inIov[i]
		l.in[i].Hdr.SetIovlen(1)
	}
	return l, nil
}

// open makes the sockets and the requests' templates.
func (l *loop) open() (err error) {
	if l.ep, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("epoll: %w", err)
	}
	if l.cfg.uas() {
		for range l.cfg.UASes {
			if err := l.openUAS(); err != nil {
				return err
			}
		}
	}
	for i := range l.cfg.Sources {
		f, err := l.dial(netip.AddrPortFrom(l.cfg.Local[i%len(l.cfg.Local)], 0))
		if err != nil {
			return err
		}
		if n := len(l.uases); n > 0 {
			f.user, f.far = fmt.Sprintf("uas%d", i%n), l.uases[i%n]
		}
		l.sources = append(l.sources, f)
	}
	if l.cfg.Scenario == Lookup {
		for i, a := range l.uases {
			if err := l.registerUAS(fmt.Sprintf("uas%d", i), a); err != nil {
				return err
			}
		}
	}
	via, _ := l.transport()
	l.via, l.branch = []byte("Via: SIP/2.0/"+via+" "), []byte("branch="+l.branchPrefix())
	for _, f := range l.sources {
		f.up = l.first(f)
	}
	return nil
}

func (l *loop) openUAS() error {
	local := netip.AddrPortFrom(l.cfg.Local[0], 0)
	var f *flow
	if l.cfg.TCP {
		fd, err := listenTCP(local)
		if err != nil {
			return err
		}
		f = &flow{fd: fd, accept: true}
	} else {
		fd, err := openUDP(local, l.cfg.Server)
		if err != nil {
			return err
		}
		f = newDatagramFlow(fd)
	}
	f.uas = true
	if err := l.add(f); err != nil {
		return err
	}
	l.uases = append(l.uases, f.sentBy)
	return nil
}

func (l *loop) dial(local netip.AddrPort) (*flow, error) {
	if l.cfg.TCP {
		fd, err := dialTCP(local, l.cfg.Server)
		if err != nil {
			return nil, err
		}
		f := newStreamFlow(fd)
		return f, l.add(f)
	}
	fd, err := openUDP(local, l.cfg.Server)
	if err != nil {
		return nil, err
	}
	f := newDatagramFlow(fd)
	return f, l.add(f)
}

func (l *loop) add(f *flow) error {
	l.flows[int32(f.fd)] = f
	a, err := localAddr(f.fd)
	if err != nil {
		return err
	}
	f.sentBy = a.String()
	if f.uas {
		_, param := l.transport()
		f.contact = "Contact: <sip:uas@" + f.sentBy + param + ">\r\n"
	}
	l.watch(f, unix.EPOLL_CTL_ADD, unix.EPOLLIN)
	return l.err
}

// registerUAS registers user, whose UAS is at addr, at the server, over a socket of its own, so that Lookup finds it.
func (l *loop) registerUAS(user, addr string) error {
	_, param := l.transport()
	c, err := net.Dial("udp4", l.server)
	if err != nil {
		return fmt.Errorf("register the UAS: %w", err)
	}
	defer c.Close()
	me := c.LocalAddr().String()
	req := fmt.Sprintf("REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bKuas%08x\r\nMax-Forwards: 70\r\nFrom: <sip:%s@%s>;tag=1\r\n"+
		"To: <sip:%s@%s>\r\nCall-ID: %s-%08x\r\nCSeq: 1 REGISTER\r\nContact: <sip:uas@%s%s>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n",
		l.server, me, l.run, user, l.server, user, l.server, user, l.run, addr, param)
	var b [maxMessage]byte
	for range 10 {
		if _, err := c.Write([]byte(req)); err != nil {
			return fmt.Errorf("register the UAS: %w", err)
		}
		if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return fmt.Errorf("register the UAS: %w", err)
		}
		n, err := c.Read(b[:])
		if err == nil && n > 11 && string(b[:11]) == "SIP/2.0 200" {
			return nil
		} else if err == nil {
			return fmt.Errorf("register the UAS: the server says %q", b[:min(n, 60)])
		}
	}
	return errors.New("register the UAS: no answer in 10 s")
}

func (l *loop) watch(f *flow, op int, events uint32) {
	if err := unix.EpollCtl(l.ep, op, f.fd, &unix.EpollEvent{Events: events, Fd: int32(f.fd)}); err != nil {
		l.fail(fmt.Errorf("epoll of %s: %w", f.sentBy, err))
	}
}

// fail remembers the first error; the loop ends with it.
func (l *loop) fail(err error) {
	if l.err == nil {
		l.err = err
	}
}

func (l *loop) now() int64 { return int64(time.Since(l.t0)) }

func (l *loop) loop(hold func() error) error {
	events := make([]unix.EpollEvent, 256)
	swept, told := int64(0), int64(0)
	for {
		now := l.now()
		if l.cfg.Second != nil && now-told >= int64(time.Second) {
			told = now
			l.over = l.over || !l.cfg.Second(l.res)
		}
		wait := l.start(now)
		if l.active == 0 && !l.more(now) {
			return nil
		}
		if l.cfg.Scenario == Ring && l.ringing+l.res.Failed+l.res.Lost >= l.cfg.Count {
			return l.held(hold)
		}
		if now-swept > sweepEvery {
			swept = now
			l.sweep(now)
		}
		for i := 0; i < len(l.dirty); i++ {
			l.dirty[i].dirty = false
			l.flush(l.dirty[i])
		}
		l.dirty = l.dirty[:0]
		n, err := epollWait(l.ep, events, wait)
		if err != nil {
			return err
		}
		for i := range n {
			f := l.flows[events[i].Fd]
			switch {
			case f.accept:
				l.accepted(f)
				continue
			case events[i].Events&unix.EPOLLOUT != 0:
				f.blocked = false
				l.watch(f, unix.EPOLL_CTL_MOD, unix.EPOLLIN)
				l.write(f)
			}
			l.read(f)
		}
		if l.err != nil {
			return l.err
		}
	}
}

// more tells if further transactions are to be started.
func (l *loop) more(now int64) bool {
	return !l.over && (l.cfg.Count == 0 || l.res.Started < l.cfg.Count) && (l.cfg.Duration == 0 || now < int64(l.cfg.Duration))
}

// start begins what is due and says how long to wait for the next.
func (l *loop) start(now int64) time.Duration {
	const idle = 20 * time.Millisecond
	if !l.more(now) {
		return idle
	}
	due := l.cfg.Window - l.active
	if l.cfg.Scenario == Ring {
		due = l.cfg.Window - (l.active - l.ringing)
	}
	if l.cfg.Rate > 0 {
		due = int(float64(now)/1e9*l.cfg.Rate) + 1 - l.res.Started
	}
	due = min(due, len(l.spare))
	if l.cfg.Count > 0 {
		due = min(due, l.cfg.Count-l.res.Started)
	}
	for range due {
		l.begin(now)
	}
	if l.cfg.Rate > 0 {
		return min(idle, max(0, time.Duration(float64(l.res.Started)/l.cfg.Rate*1e9)-time.Duration(now)))
	}
	return idle
}

// held is the end of Ring: everything rings.
func (l *loop) held(hold func() error) error {
	l.last = l.now()
	l.res.Done = l.ringing
	l.res.Lost = l.res.Started - l.res.Done - l.res.Failed
	if hold != nil {
		if err := hold(); err != nil {
			return err
		}
	}
	return errDone
}

func (l *loop) accepted(f *flow) {
	for {
		fd, _, err := unix.Accept4(f.fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		c := newStreamFlow(fd)
		c.uas = true
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			l.fail(fmt.Errorf("no delay: %w", err))
		}
		if err := l.add(c); err != nil {
			l.fail(err)
		}
	}
}

// message handles one message; m is valid until it returns.
func (l *loop) message(f *flow, m []byte) {
	if len(m) > 8 && string(m[:8]) == "SIP/2.0 " {
		l.response(f, m)
		return
	}
	if f.uas && len(m) > 16 {
		l.request(f, m)
		return
	}
	l.res.Strays++
}

func (l *loop) close() {
	for _, f := range l.flows {
		unix.Close(f.fd)
	}
	if l.ep >= 0 {
		unix.Close(l.ep)
	}
}
