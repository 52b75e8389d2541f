package dlgs

import (
	"bytes"
	"sync/atomic"
	"unsafe"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/shm"
	"kahea/sipparse"
	"kahea/sipparse/edit"
)

// States of a call.
const (
	stateInit        = 1 + iota // INVITE seen
	stateProgress               // 101 to 199
	stateAnswered               // 2xx
	stateConfirmed              // ACK to it
	stateTerminated             // BYE
	stateNotAnswered            // a negative final reply, or CANCEL
)

var stateNames = [...]string{stateInit: "init", stateProgress: "progress", stateAnswered: "answered", stateConfirmed: "confirmed", stateTerminated: "terminated",
	stateNotAnswered: "notanswered"}

// call is one in shared memory; its texts follow in the order of the field constants.
type call struct {
	_       shm.Link
	hash    uint32
	state   uint32
	begun   int64 // unix s
	start   int64 // answered
	end     int64
	tags    shm.Off // each with a line feed behind it
	tagsLen uint32
	lens    [fields]uint16
}

const callSize = unsafe.Sizeof(call{})

// Texts of a call.
const (
	fieldCallID = iota
	fieldFromTag
	fieldSrc
	fieldDst
	fieldData
	fields
)

func (m *mod) call(o shm.Off) *call { return shm.Ref[call]{Off: o}.Get(m.a) }

// text is a text of a call: it is valid while the bucket is locked.
func (m *mod) text(o shm.Off, k *call, field int) []byte {
	at := callSize
	for i := range field {
		at += uintptr(k.lens[i])
	}
	return m.a.Bytes(o)[at : at+uintptr(k.lens[field])]
}

func (k *call) ended() bool { return k.state >= stateTerminated }

func (k *call) to(state uint32, now int64) {
	switch {
	case state == stateAnswered && k.state == stateNotAnswered: // the 2xx has crossed a CANCEL
		k.end = 0
	case k.ended() || state <= k.state, state == stateNotAnswered && k.state >= stateAnswered:
		return
	}
	k.state = state
	switch state {
	case stateAnswered:
		k.start = now
	case stateTerminated, stateNotAnswered:
		k.end = now
	}
}

// key is what a message says of its call: Call-ID and the tags.
func key(msg *sipparse.Msg) (callID, from, to []byte, ok bool) {
	f, e1 := msg.From()
	t, e2 := msg.To()
	callID = msg.CallID()
	if e1 != sipparse.OK || e2 != sipparse.OK || len(callID) == 0 {
		return nil, nil, nil, false
	}
	return callID, msg.Bytes(f.Tag), msg.Bytes(t.Tag), true
}

// lock locks the bucket of a message's call and finds it; o is 0 if it is not followed. A request of either side belongs to the call: the tag of the caller is its From
// tag or its To tag. ok is false, and nothing locked, for a message without what names a call.
func (m *mod) lock(msg *sipparse.Msg) (o shm.Off, bucket int, ok bool) {
	callID, from, to, ok := key(msg)
	if !ok {
		return 0, 0, false
	}
	hash := edit.CoreHash(callID, nil, 0)
	bucket = int(hash) & (m.table.Size() - 1)
	m.table.Lock(m.a, bucket)
	for o = m.table.First(m.a, bucket); o != 0; o = m.table.Next(m.a, o) {
		k := m.call(o)
		if k.hash != hash || !bytes.Equal(m.text(o, k, fieldCallID), callID) {
			continue
		}
		if tag := m.text(o, k, fieldFromTag); bytes.Equal(tag, from) || bytes.Equal(tag, to) {
			return o, bucket, true
		}
	}
	return 0, bucket, true
}

const maxText = 1<<16 - 1

// begin is dlgs_init.
func (m *mod) begin(c *route.Ctx, a *route.Args) int {
	var text [fields][]byte
	for i := range 3 {
		var ok bool
		if text[fieldSrc+i], ok = a.Str(c, i); !ok || len(text[fieldSrc+i]) > maxText {
			return -1
		}
	}
	if !c.IsRequest() || c.Msg.Line.Method != sipparse.INVITE {
		c.Logf(log.Err, "dlgs", "dlgs_init: the message is no INVITE")
		return -1
	}
	o, bucket, ok := m.lock(&c.Msg)
	if !ok {
		return -1
	}
	defer m.table.Unlock(m.a, bucket)
	if o != 0 {
		return 1
	}
	text[fieldCallID], text[fieldFromTag], _, _ = key(&c.Msg)
	n := int(callSize)
	for _, b := range text {
		if len(b) > maxText {
			return -1
		}
		n += len(b)
	}
	o, err := m.a.AllocUnreserved(n, m.tag)
	if err != nil {
		c.Logf(log.Err, "dlgs", "dlgs_init: %v", err)
		return -1
	}
	b := m.a.Bytes(o)
	clear(b[:callSize])
	k := m.call(o)
	k.hash, k.state, k.begun = edit.CoreHash(text[fieldCallID], nil, 0), stateInit, c.P.Host.Now()/1e9
	b = b[callSize:]
	for i, t := range text {
		k.lens[i] = uint16(copy(b, t))
		b = b[len(t):]
	}
	m.table.Append(m.a, bucket, o)
	atomic.AddInt64(&m.root.Calls, 1)
	return 1
}

// move takes the call of a message to a state; false: it is not followed.
func (m *mod) move(c *route.Ctx, state uint32) bool {
	if atomic.LoadInt64(&m.root.Calls) == 0 {
		return false
	}
	o, bucket, ok := m.lock(&c.Msg)
	if !ok {
		return false
	}
	if o != 0 {
		m.call(o).to(state, c.P.Host.Now()/1e9)
	}
	m.table.Unlock(m.a, bucket)
	return o != 0
}

// update is dlgs_update.
func (m *mod) update(c *route.Ctx, _ *route.Args) int {
	state := uint32(0) // known is enough
	if c.IsRequest() {
		switch c.Msg.Line.Method {
		case sipparse.ACK:
			state = stateConfirmed
		case sipparse.BYE:
			state = stateTerminated
		case sipparse.CANCEL:
			state = stateNotAnswered
		}
	}
	if m.move(c, state) {
		return 1
	}
	return -1
}

// reply moves a call on by a reply to its INVITE.
func (m *mod) reply(c *route.Ctx) bool {
	cs, e := c.Msg.CSeq()
	if e != sipparse.OK || cs.Method != sipparse.INVITE {
		return true
	}
	switch status := c.Msg.Line.Status; {
	case status > 100 && status < 200:
		m.move(c, stateProgress)
	case status < 300:
		m.move(c, stateAnswered)
	case !m.tmTells && status >= 300:
		m.move(c, stateNotAnswered)
	}
	return true
}

// finalReply is told by tm what its transaction has answered: c holds the INVITE.
func (m *mod) finalReply(c *route.Ctx, code int) {
	if code < 300 {
		m.move(c, stateAnswered)
	} else {
		m.move(c, stateNotAnswered)
	}
}

// each calls f for every call, bucket by bucket, with the bucket locked; f says whether to keep it.
func (m *mod) each(f func(o shm.Off, k *call) (keep bool)) {
	for b := range m.table.Size() {
		m.table.Lock(m.a, b)
		for o := m.table.First(m.a, b); o != 0; {
			next := m.table.Next(m.a, o)
			if k := m.call(o); !f(o, k) {
				m.table.Remove(m.a, o)
				if k.tags != 0 {
					m.a.Free(k.tags)
				}
				m.a.Free(o)
				atomic.AddInt64(&m.root.Calls, -1)
			}
			o = next
		}
		m.table.Unlock(m.a, b)
	}
}

// sweep removes what has ended or is too old.
func (m *mod) sweep() {
	now := m.h.Host.Now() / 1e9
	m.each(func(_ shm.Off, k *call) bool {
		switch {
		case k.ended():
			return now-k.end < int64(m.finish)
		case k.state >= stateAnswered:
			return now-k.start < int64(m.active)
		}
		return now-k.begun < int64(m.initial)
	})
}
