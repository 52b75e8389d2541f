package usrloc

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/sipparse"
)

// Keepalives. The process that removes what has expired sends each contact a request (ka_method) every ka_interval seconds, without a transaction: what says which
// contact it is about, and when it left, stands in the From tag, RUID-HASH-SECONDS-MICROSECONDS-NUMBER, and comes back with the reply, which any worker takes. A contact
// that answers nothing for ka_timeout seconds runs out ten seconds later.

// Bits of ka_mode.
const (
	kaAll = 1 << iota
	kaNAT // with nat_bflag only
	kaUDP // over UDP only
)

const (
	kaCallID   = "ksrulka-"
	kaCSeq     = 80
	kaGrace    = 10 // s that a contact is kept once ka_timeout is over
	kaNoLog    = 255
	kaLogLeast = -5
)

// keepalive is what the ka_ parameters say.
type keepalive struct {
	mode, filter, interval, randomize, timeout, level int
	from, domain, method, logText, codes              string

	logMsg *route.Format
	accept []int // codes of replies; nil: any
	seq    uint64
	sent   []byte // Call-IDs of this process, so that restarts do not share them
}

var errKACodes = errors.New("want codes between 100 and 699, separated by commas, or 0")

func (k *keepalive) params() []modules.Param {
	return []modules.Param{
		{Name: "ka_mode", Int: &k.mode, Max: kaAll | kaNAT | kaUDP, Doc: "keepalives to contacts, a sum: 1 all, 2 those with nat_bflag, 4 those over UDP; 0: none"},
		{Name: "ka_from", Str: &k.from, Doc: `URI in From of keepalives, "sip:server@kamailio.org"`},
		{Name: "ka_domain", Str: &k.domain, Doc: `domain in To of keepalives without use_domain, "kamailio.org"`},
		{Name: "ka_method", Str: &k.method, Doc: `method of keepalives, "OPTIONS"`},
		{Name: "ka_filter", Int: &k.filter, Max: 1, Doc: "1: only to contacts of this server_id, which all are"},
		{Name: "ka_interval", Int: &k.interval, Min: 1, Max: 1 << 20, Doc: "seconds between keepalives to a contact, 40"},
		{Name: "ka_randomize", Int: &k.randomize, Max: 1 << 20, Doc: "seconds over which the keepalives of one round are spread by chance, 20"},
		{Name: "ka_timeout", Int: &k.timeout, Max: 1 << 20, Doc: "seconds without an answer after which a contact runs out; 0: never"},
		{Name: "ka_loglevel", Int: &k.level, Min: kaLogLeast, Max: kaNoLog, Doc: "level at which answers are logged with their time; 255: they are not"},
		{Name: "ka_logmsg", Str: &k.logText, Doc: `what is logged of an answer, " to-uri: [$tu] remote-addr: [$sas]"`},
		{Name: "ka_reply_codes", Str: &k.codes, Doc: `codes of replies that count as an answer, separated by commas; "0": all`},
	}
}

func (m *mod) setupKeepalive(h *modules.Host) error {
	k := &m.ka
	if k.mode == 0 {
		return nil
	}
	f, err := h.Env.ParseFormat(k.logText)
	if err != nil {
		return fmt.Errorf("ka_logmsg: %w", err)
	}
	k.logMsg = f
	for s := range strings.SplitSeq(k.codes, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		switch {
		case err != nil || n != 0 && (n < 100 || n > 699):
			return fmt.Errorf("ka_reply_codes %q: %w", k.codes, errKACodes)
		case n != 0:
			k.accept = append(k.accept, n)
		}
	}
	k.sent = fmt.Appendf(nil, "%s%x-", kaCallID, rand.Uint32())
	h.Responses = append(h.Responses, m.answered)
	return nil
}

// wantsPing says whether a contact gets keepalives, as ul.dump tells it: 1 yes.
func (m *mod) wantsPing(c *Contact) int64 {
	k := &m.ka
	nat := m.natBFlag >= 0 && c.CFlags&(1<<m.natBFlag) != 0
	if k.mode == 0 || k.mode&kaNAT != 0 && !nat || k.mode&kaUDP != 0 && c.Conn != 0 {
		return 0
	}
	return 1
}

// ping is one keepalive: what it needs of its contact, copied.
type ping struct {
	aor  []byte
	hash uint32
	c    Contact
}

// pingAll sends a round of keepalives to the contacts of the process's buckets.
func (m *mod) pingAll(part, parts int) {
	now := m.h.Host.Now() / 1e9
	for _, d := range m.domains {
		for b := part; b <= int(d.mask); b += parts {
			for _, p := range m.due(d, b, now) {
				m.schedule(d, p)
			}
		}
	}
}

// due are the contacts of a bucket that get a keepalive. One that has not answered for ka_timeout is shortened instead.
func (m *mod) due(d *Domain, b int, now int64) (l []ping) {
	d.table.Lock(m.a, b)
	defer d.table.Unlock(m.a, b)
	for o := d.table.First(m.a, b); o != 0; o = d.table.Next(m.a, o) {
		r := d.record(o)
		for at := r.first; at != 0; {
			s := d.contact(at)
			var c Contact
			d.get(at, &c)
			at = s.next
			if s.expires != 0 && s.expires <= now || m.wantsPing(&c) == 0 {
				continue
			}
			if m.ka.timeout > 0 && s.alive+int64(m.ka.timeout) < now {
				if s.expires == 0 || s.expires > now+kaGrace {
					s.expires = now + kaGrace
				}
				continue
			}
			for _, t := range c.texts() {
				*t = bytes.Clone(*t)
			}
			l = append(l, ping{aor: bytes.Clone(d.aor(o, r)), hash: r.hash, c: c})
		}
	}
	return l
}

// schedule sends a keepalive now or within ka_randomize seconds.
func (m *mod) schedule(d *Domain, p ping) {
	if m.ka.randomize == 0 {
		m.ping(d, p)
		return
	}
	wait := time.Duration(rand.Int64N(int64(m.ka.randomize) * int64(time.Second)))
	time.AfterFunc(wait, func() { m.h.Loop(func() { m.ping(d, p) }) })
}

// ping builds and sends one.
func (m *mod) ping(d *Domain, p ping) {
	m.h.RunFaked(func(c *route.Ctx) { c.Faked = true }, func(c *route.Ctx) {
		to := p.c.URI
		if len(p.c.Path) > 0 {
			var n sipparse.NameAddr
			if sipparse.ParseNameAddr(p.c.Path, sipparse.Span{Len: uint32(len(p.c.Path))}, &n) == sipparse.OK {
				to = n.URI.In(p.c.Path)
			}
		} else if len(p.c.Received) > 0 {
			to = p.c.Received
		}
		t, err := m.h.Proc.URITarget(to)
		if err == nil {
			var dst route.Dest
			if dst, err = c.Resolve(t, c.P.Net.At(p.c.Sock)); err == nil {
				dst.Conn = p.c.Conn
				err = c.P.Host.Send(dst, m.appendPing(c.P.Host.Buffer(), &dst, &p))
			}
		}
		if err != nil {
			c.Logf(log.Warn, "usrloc", "keepalive to %s: %v", to, err)
		}
	})
}

// appendPing writes the request.
func (m *mod) appendPing(b []byte, dst *route.Dest, p *ping) []byte {
	k := &m.ka
	k.seq++
	now := time.Unix(0, m.h.Host.Now())
	b = append(append(append(append(b, k.method...), ' '), p.c.URI...), " SIP/2.0\r\nVia: SIP/2.0/"...)
	host, port, _ := dst.Sock.ViaHost()
	b = append(append(append(append(b, dst.Proto.Via()...), ' '), host...), ':')
	b = strconv.AppendUint(b, uint64(port), 10)
	b = append(b, ";branch=z9hG4bKx."...)
	b = strconv.AppendUint(b, k.seq, 10)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(m.h.Slot), 10)
	b = append(b, ".0\r\n"...)
	if len(p.c.Path) > 0 {
		b = append(append(append(b, "Route: "...), p.c.Path...), "\r\n"...)
	}
	b = append(append(append(b, "From: <"...), k.from...), ">;tag="...)
	b = append(append(b, p.c.RUID...), '-')
	b = strconv.AppendUint(b, uint64(p.hash), 16)
	b = strconv.AppendInt(append(b, '-'), now.Unix(), 16)
	b = strconv.AppendInt(append(b, '-'), int64(now.Nanosecond()/1000), 16)
	b = strconv.AppendUint(append(b, '-'), k.seq, 16)
	b = append(append(b, "\r\nTo: <sip:"...), p.aor...)
	if m.useDomain == 0 {
		b = append(append(b, '@'), k.domain...)
	}
	b = append(append(b, ">\r\nCall-ID: "...), k.sent...)
	b = strconv.AppendUint(b, k.seq, 16)
	b = append(b, "\r\nCSeq: "...)
	b = strconv.AppendInt(b, kaCSeq, 10)
	b = append(append(append(b, ' '), k.method...), "\r\nContent-Length: 0\r\n\r\n"...)
	return b
}

// answered takes the reply to a keepalive; it is nobody else's.
func (m *mod) answered(c *route.Ctx) bool {
	if !bytes.HasPrefix(c.Msg.CallID(), []byte(kaCallID)) {
		return true
	}
	q, e := c.Msg.CSeq()
	from, e2 := c.Msg.From()
	if e != sipparse.OK || e2 != sipparse.OK || q.Num != kaCSeq || string(c.Msg.Bytes(q.MethodText)) != m.ka.method {
		return true
	}
	ruid, hash, at, ok := parseTag(c.Msg.Bytes(from.Tag))
	if !ok {
		return true
	}
	if m.ka.accept != nil && !slices.Contains(m.ka.accept, int(c.Msg.Line.Status)) {
		return false
	}
	now := c.P.Host.Now()
	rtt := max(now/1000-at, 0)
	for _, d := range m.domains {
		if d.alive(ruid, hash, now/1e9, uint32(min(rtt, 1<<31))) {
			break
		}
	}
	if level := log.Level(m.ka.level); m.ka.level != kaNoLog && m.h.Log.On(level) {
		text, _ := m.ka.logMsg.Eval(c)
		c.Logf(level, "usrloc", "keepalive roundtrip: %d.%06d sec - ruid [%s]%s", rtt/1e6, rtt%1e6, ruid, text)
	}
	return false
}

// parseTag reads the From tag of a keepalive; at is when it left, in unix us.
func parseTag(tag []byte) (ruid []byte, hash uint32, at int64, ok bool) {
	var n [4]uint64
	for i := 3; i >= 0; i-- {
		j := bytes.LastIndexByte(tag, '-')
		if j < 0 {
			return nil, 0, 0, false
		}
		var err error
		if n[i], err = strconv.ParseUint(string(tag[j+1:]), 16, 63); err != nil {
			return nil, 0, 0, false
		}
		tag = tag[:j]
	}
	return tag, uint32(n[0]), int64(n[1])*1e6 + int64(n[2]), len(tag) > 0
}

// alive notes that the contact ruid has answered; false: it is not in this table.
func (d *Domain) alive(ruid []byte, hash uint32, now int64, rtt uint32) bool {
	a := d.m.a
	b := int(hash & d.mask)
	d.table.Lock(a, b)
	defer d.table.Unlock(a, b)
	for o := d.table.First(a, b); o != 0; o = d.table.Next(a, o) {
		r := d.record(o)
		if r.hash != hash {
			continue
		}
		var c Contact
		for at := r.first; at != 0; at = d.contact(at).next {
			if d.get(at, &c); bytes.Equal(c.RUID, ruid) {
				s := d.contact(at)
				s.alive, s.rtt = now, rtt
				return true
			}
		}
	}
	return false
}
