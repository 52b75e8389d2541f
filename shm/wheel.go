package shm

import (
	"fmt"
	"math/bits"
	"sync/atomic"
	"unsafe"
)

// Timer is a one-shot timer node embedded in a shared object. It is armed on at most one wheel. The zero value is idle.
type Timer struct {
	next, prev Off
	expires    uint64 // ticks
	wheel      Off    // 0 when idle; the store that arms or disarms
	kind       uint16
	list       uint16 // the wheel's list that it stands in
	_          uint32
}

// Idle says whether t is on no wheel at the moment.
func (t *Timer) Idle() bool { return atomic.LoadUint64((*uint64)(&t.wheel)) == 0 }

// On is the wheel that t stands on (OpenWheel), 0 when it is idle.
func (t *Timer) On() Off { return t.on() }

// Expires is the tick that t was last armed for.
func (t *Timer) Expires() uint64 { return t.expires }

// Kind is the number of a timer handler; handlers are registered by number in every process alike.
type Kind uint16

// Wheel is a hierarchical timing wheel in shared memory (Varghese and Lauck, 1987, scheme 7); each worker ticks its own, any process may arm or disarm.
// The unit of a tick is the caller's.
type Wheel struct{ off Off }

const (
	wheelBits   = 6
	wheelSlots  = 1 << wheelBits
	wheelLevels = 11 // 11*6 bits hold every tick
	listLate    = wheelLevels * wheelSlots
	noEvent     = ^uint64(0)
)

// wheelHead: a timer stands on the level of the highest digit (to the base 64) in which its expiry and now differ, in the list of
// its own digit there; so all of a level's timers are in lists above now's digit, and what is in a list of level 0 expires in the same tick.
// What was armed for now or earlier stands in late.
type wheelHead struct {
	object
	lock   Mutex
	now    uint64
	next   uint64 // no event is before this tick; read without the lock
	count  uint64 // timers
	moving Off    // timer that an unfinished change works on
	expire uint64 // what moving is armed with, when the change is Arm
	kind   uint16
	arming uint16 // the change: 0 none of the others, changeArm, changeFire
	deaths uint16 // of processes in the handler of firing
	fkind  uint16
	firing Off                 // timer whose handler runs, or ran when the process died; 0: none
	words  [wheelLevels]uint64 // bit i: list i of the level is not empty
	lists  [listLate + 1]wheelList
}

type wheelList struct{ head, tail Off }

const (
	changeArm  = 1 + iota // moving is put on the wheel
	changeFire            // moving is taken off and noted in firing
)

const (
	wheelHeadSize = unsafe.Sizeof(wheelHead{})
	timerSize     = unsafe.Sizeof(Timer{})
)

// NewWheel makes a wheel that stands at tick now.
func NewWheel(a *Arena, now uint64, t Tag) (Wheel, error) {
	o, err := a.Alloc(int(wheelHeadSize), t)
	if err != nil {
		return Wheel{}, err
	}
	clear(a.Bytes(o))
	w := Wheel{o}
	h := w.head(a)
	h.magic = magicWheel
	h.lock.SetClass(ClassWheel)
	h.now, h.next = now, noEvent
	a.register(o)
	return w, nil
}

// OpenWheel is the wheel at o; ErrNotThere when there is none.
func OpenWheel(a *Arena, o Off) (Wheel, error) {
	if err := a.object(o, magicWheel, wheelHeadSize); err != nil {
		return Wheel{}, err
	}
	return Wheel{o}, nil
}

// Free gives back the wheel, which must be empty and in nobody's use.
func (w Wheel) Free(a *Arena) {
	if n := w.head(a).count; n != 0 {
		panic(fmt.Sprintf("shm: free of the wheel at offset %#x with %d timers", uint64(w.off), n))
	}
	a.unregister(w.off)
	a.Free(w.off)
}

func (w Wheel) head(a *Arena) *wheelHead { return (*wheelHead)(a.at(w.off, wheelHeadSize)) }

// Off is what OpenWheel takes.
func (w Wheel) Off() Off { return w.off }

// Len is the number of timers, read without the lock.
func (w Wheel) Len(a *Arena) int { return int(atomic.LoadUint64(&w.head(a).count)) }

func (a *Arena) timer(o Off) *Timer { return (*Timer)(a.at(o, timerSize)) }

func (t *Timer) on() Off        { return Off(atomic.LoadUint64((*uint64)(&t.wheel))) }
func (t *Timer) setWheel(o Off) { atomic.StoreUint64((*uint64)(&t.wheel), uint64(o)) }

func (w Wheel) lock(a *Arena) *wheelHead {
	h := w.head(a)
	if h.magic != magicWheel {
		panic(fmt.Sprintf("shm: there is no wheel at offset %#x", uint64(w.off)))
	}
	if a.Lock(&h.lock) {
		w.repair(a, h)
	}
	return h
}

// Arm sets t (which lies at offset o in the arena) to fire at tick expires with kind. A t that is armed is moved, from another wheel too.
// It reports whether t was idle before (so that a caller who counts references adds one only then).
// A timer armed for a tick that the wheel has reached fires at the next Advance.
func (w Wheel) Arm(a *Arena, o Off, expires uint64, k Kind) (wasIdle bool) {
	t := a.timer(o)
	for {
		on := t.on()
		if on == 0 || on == w.off {
			h := w.lock(a)
			ok := t.on() == on
			ok = ok && w.arm(a, h, o, t, expires, k)
			a.Unlock(&h.lock)
			if ok {
				return on == 0
			}
			continue
		}
		// On another wheel: both locks, the lower offset first.
		x := Wheel{on}
		var h, hx *wheelHead
		if on < w.off {
			hx = x.lock(a)
			h = w.lock(a)
		} else {
			h = w.lock(a)
			hx = x.lock(a)
		}
		ok := t.on() == on
		if ok {
			// Noted on w first: killed from here to the end, t is repaired to be on one of the two.
			h.arming, h.kind, h.expire, h.moving = changeArm, uint16(k), expires, o
			x.take(a, hx, o, t)
			ok = w.arm(a, h, o, t, expires, k)
		}
		a.Unlock(&hx.lock)
		a.Unlock(&h.lock)
		if ok {
			return false
		}
	}
}

// arm puts t, idle or on w itself, on w; false when another process was faster to put it on another wheel.
func (w Wheel) arm(a *Arena, h *wheelHead, o Off, t *Timer, expires uint64, k Kind) bool {
	h.arming, h.kind, h.expire, h.moving = changeArm, uint16(k), expires, o
	if t.on() == w.off {
		h.unlink(a, t)
	} else if atomic.CompareAndSwapUint64((*uint64)(&t.wheel), 0, uint64(w.off)) {
		h.count++
	} else {
		h.moving = 0
		return false
	}
	t.expires, t.kind = expires, uint16(k)
	i, at := h.listOf(expires)
	h.link(a, i, o, t)
	if at < h.next {
		atomic.StoreUint64(&h.next, at)
	}
	h.moving = 0
	return true
}

// Disarm takes the timer at o off its wheel. False when it was idle, or is being fired: then its handler will still be
// called, and must look at the object's own state.
func Disarm(a *Arena, o Off) bool {
	t := a.timer(o)
	for {
		on := t.on()
		if on == 0 {
			return false
		}
		w := Wheel{on}
		h := w.lock(a)
		ok := t.on() == on
		if ok {
			w.take(a, h, o, t)
		}
		a.Unlock(&h.lock)
		if ok {
			return true
		}
	}
}

// take makes t idle.
func (w Wheel) take(a *Arena, h *wheelHead, o Off, t *Timer) {
	h.arming, h.moving = 0, o
	w.taken(a, h, t)
}

// takeToFire is take; from the instant in which t is idle it is the one whose handler runs.
func (w Wheel) takeToFire(a *Arena, h *wheelHead, o Off, t *Timer) {
	h.arming, h.moving = changeFire, o
	h.fkind, h.deaths, h.firing = t.kind, 0, o
	w.taken(a, h, t)
}

func (w Wheel) taken(a *Arena, h *wheelHead, t *Timer) {
	h.unlink(a, t)
	h.count--
	t.setWheel(0)
	h.moving = 0
}

// listOf is the list for a timer that expires at tick e, and the tick at which the wheel has to look at it.
func (h *wheelHead) listOf(e uint64) (list int, at uint64) {
	if e <= h.now {
		return listLate, h.now
	}
	level := uint(bits.Len64(e^h.now)-1) / wheelBits
	return int(level)<<wheelBits + int(e>>(level*wheelBits))&(wheelSlots-1), e >> (level * wheelBits) << (level * wheelBits)
}

// link puts t at the tail of list i.
func (h *wheelHead) link(a *Arena, i int, o Off, t *Timer) {
	l := &h.lists[i]
	t.list, t.next, t.prev = uint16(i), 0, l.tail
	if l.tail != 0 {
		a.timer(l.tail).next = o
	} else {
		l.head = o
		if i != listLate {
			h.words[i>>wheelBits] |= 1 << (i & (wheelSlots - 1))
		}
	}
	l.tail = o
}

func (h *wheelHead) unlink(a *Arena, t *Timer) {
	i := int(t.list)
	if i > listLate {
		panic(fmt.Sprintf("shm: timer is broken: stands in list %d", i))
	}
	l := &h.lists[i]
	if t.prev != 0 {
		a.timer(t.prev).next = t.next
	} else {
		l.head = t.next
	}
	if t.next != 0 {
		a.timer(t.next).prev = t.prev
	} else {
		l.tail = t.prev
	}
	if l.head == 0 && i != listLate {
		h.words[i>>wheelBits] &^= 1 << (i & (wheelSlots - 1))
	}
}

// event is the first tick after now at which a list has to be looked at, and that list; noEvent when all are empty. late is not looked at.
func (h *wheelHead) event() (tick uint64, list int) {
	for level := uint(0); level < wheelLevels; level++ {
		// Lists of the level at or below now's digit are empty, so the lowest is the next; a lower level comes before a higher one.
		if m := h.words[level]; m != 0 {
			i := bits.TrailingZeros64(m)
			high := ^uint64(0)
			if s := (level + 1) * wheelBits; s < 64 {
				high <<= s
			} else {
				high = 0
			}
			return h.now&high | uint64(i)<<(level*wheelBits), int(level)<<wheelBits + i
		}
	}
	return noEvent, -1
}

// Advance moves the wheel to tick now and calls fire for every timer that is due, in order of expiry, with no lock held. A timer is idle
// again, and may be armed, from the moment that fire is called for it. If the process dies in between, the timers not yet fired stay due.
// Only the wheel's worker calls it. Timers that had been armed for a tick already reached come first, in the order of arming. A timer that
// fire arms for a tick up to now fires in this same call, unless the wheel has already reached that tick: then it waits for the next Advance,
// so that Advance ends.
//
// A timer whose handler ran when the process died, and had not called Fired, comes first of all, with the number of processes that have died in it by now;
// for the others deaths is 0. Whether it is armed again by then is the handler's to look at.
func (w Wheel) Advance(a *Arena, now uint64, fire func(o Off, k Kind, deaths int)) (fired int) {
	h := w.head(a)
	if h.firing != 0 {
		w.lock(a) // which repairs what the dead one was at
		o, k := h.firing, Kind(h.fkind)
		if o != 0 {
			h.deaths++
		}
		deaths := int(h.deaths)
		a.Unlock(&h.lock)
		if o != 0 {
			fire(o, k, deaths)
			w.Fired(a)
			fired++
		}
	}
	if now < atomic.LoadUint64(&h.next) {
		return fired
	}
	h = w.lock(a)
	h.relist(a, listLate)
	for {
		o := h.due(a, now)
		if o == 0 {
			break
		}
		t := a.timer(o)
		k := Kind(t.kind)
		w.takeToFire(a, h, o, t)
		a.Unlock(&h.lock)
		fire(o, k, 0)
		w.Fired(a)
		fired++
		w.lock(a)
	}
	if now > h.now {
		h.now = now
	}
	h.setNext()
	a.Unlock(&h.lock)
	return fired
}

// Fired says that the handler that runs has done what it had to: if the process dies now, it is not run again. A handler calls it before it gives up what keeps its
// timer's memory; Advance calls it behind every handler. Only the wheel's worker calls it.
func (w Wheel) Fired(a *Arena) { atomic.StoreUint64((*uint64)(&w.head(a).firing), 0) }

// Firing is the timer whose handler runs and has not called Fired; ok is false when there is none. For the wheel's worker.
func (w Wheel) Firing(a *Arena) (o Off, k Kind, ok bool) {
	h := w.head(a)
	return h.firing, Kind(h.fkind), h.firing != 0
}

// Interrupted is the timer whose handler ran when the wheel's process died, and how many had died in it before; ok is false when there is none. Interrupt makes one so.
// For who takes timers off and puts others in their place while no worker has the wheel.
func (w Wheel) Interrupted(a *Arena) (o Off, k Kind, deaths int, ok bool) {
	h := w.lock(a)
	defer a.Unlock(&h.lock)
	return h.firing, Kind(h.fkind), int(h.deaths), h.firing != 0
}

func (w Wheel) Interrupt(a *Arena, o Off, k Kind, deaths int) {
	h := w.lock(a)
	defer a.Unlock(&h.lock)
	h.fkind, h.deaths = uint16(k), uint16(deaths)
	h.firing = o
}

// Wheels are all wheels of the arena.
func (a *Arena) Wheels() (l []Wheel) {
	a.Lock(&a.h.reg)
	defer a.Unlock(&a.h.reg)
	for o := a.h.objects; o != 0; {
		obj := (*object)(a.at(o, unsafe.Sizeof(object{})))
		if obj.magic == magicWheel {
			l = append(l, Wheel{o})
		}
		o = obj.next
	}
	return l
}

func (h *wheelHead) setNext() {
	next, _ := h.event()
	if h.lists[listLate].head != 0 {
		next = h.now
	}
	atomic.StoreUint64(&h.next, next)
}

// due is the first timer of level 0 that expires up to now, 0 when there is none. It moves the wheel as far as that.
func (h *wheelHead) due(a *Arena, now uint64) Off {
	for {
		tick, i := h.event()
		if tick > now || i < 0 {
			return 0
		}
		h.now = tick
		if i < wheelSlots {
			return h.lists[i].head
		}
		h.relist(a, i)
	}
}

// relist moves the timers of list i to where they belong, seen from now. Those that expire now, or should have, go to now's list of level 0.
func (h *wheelHead) relist(a *Arena, i int) {
	for o := h.lists[i].head; o != 0; o = h.lists[i].head {
		t := a.timer(o)
		h.arming, h.moving = 0, o
		h.unlink(a, t)
		h.link(a, h.home(t.expires), o, t)
		h.moving = 0
	}
}

// home is listOf with now's list of level 0 instead of late.
func (h *wheelHead) home(expires uint64) int {
	if expires <= h.now {
		return int(h.now & (wheelSlots - 1))
	}
	i, _ := h.listOf(expires)
	return i
}

// NextDue is the tick at which Advance has something to do at the earliest; ok is false when the wheel is empty.
func (w Wheel) NextDue(a *Arena) (tick uint64, ok bool) {
	h := w.lock(a)
	h.setNext()
	tick, ok = h.next, h.count != 0
	a.Unlock(&h.lock)
	return tick, ok
}

// repair makes the lists' back links, the timers' lists, the bitmap and the count agree with head and next, and finishes or
// undoes the change that the dead owner was at: a timer whose wheel says this one is on it.
func (w Wheel) repair(a *Arena, h *wheelHead) {
	h.count = 0
	h.words = [wheelLevels]uint64{}
	found := false
	for i := range h.lists {
		l := &h.lists[i]
		l.tail = 0
		for p := &l.head; *p != 0; {
			o := *p
			if uint64(o) > a.size-uint64(timerSize) || h.count > a.size/unit {
				*p = 0
				break
			}
			t := a.timer(o)
			found = found || o == h.moving
			t.prev, t.list = l.tail, uint16(i)
			t.setWheel(w.off)
			l.tail = o
			h.count++
			p = &t.next
		}
		if l.head != 0 && i != listLate {
			h.words[i>>wheelBits] |= 1 << (i & (wheelSlots - 1))
		}
	}
	if o := h.moving; o != 0 && !found {
		t := a.timer(o)
		if on := t.on(); on == w.off || on == 0 && h.arming == changeArm {
			t.setWheel(w.off)
			if h.arming == changeArm {
				t.expires, t.kind = h.expire, h.kind
			}
			h.link(a, h.home(t.expires), o, t)
			h.count++
		}
	}
	if h.arming == changeFire && h.moving != 0 && a.timer(h.moving).on() == w.off {
		h.firing = 0 // its handler has not begun: it stands on the wheel again
	}
	// Lists of now's own digit, which the owner was about to distribute.
	for level := 1; level < wheelLevels; level++ {
		h.relist(a, level<<wheelBits+int(h.now>>(level*wheelBits))&(wheelSlots-1))
	}
	h.moving, h.arming = 0, 0
	atomic.StoreUint64(&h.next, h.now) // look at once
}

// Absorb moves every timer of from to w, each with its expiry and kind. from's worker has ended, or calls this itself.
func (w Wheel) Absorb(a *Arena, from Wheel) {
	for i := range listLate + 1 {
		for {
			h := from.lock(a)
			o := h.lists[i].head
			var t *Timer
			if o != 0 {
				t = a.timer(o)
			}
			a.Unlock(&h.lock)
			if o == 0 {
				break
			}
			w.Arm(a, o, t.expires, Kind(t.kind)) // takes it off from
		}
	}
}
