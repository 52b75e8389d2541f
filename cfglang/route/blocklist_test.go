package route

import (
	"fmt"
	"net/netip"
	"testing"

	"kahea/shm"
	"kahea/sipparse"
)

func TestBlocklist(t *testing.T) {
	a, err := shm.Create(4<<20, shm.QM)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	open := func() *Blocklist {
		b, err := OpenBlocklist(a)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b, other := open(), open() // two processes
	at := func(s string, p sipparse.Proto) Place { return Place{netip.MustParseAddrPort(s), p} }
	udp, tcp := at("192.0.2.1:5060", sipparse.UDP), at("192.0.2.1:5060", sipparse.TCP)
	if b.Has(udp, 1) {
		t.Error("an empty list has an entry")
	}
	if err := b.Add(udp, BlockSend, 10, 20, 32<<10); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		at   Place
		now  uint64
		want bool
	}{
		{"at once", udp, 10, true}, {"before its end", udp, 19, true}, {"at its end", udp, 20, false}, {"another protocol", tcp, 10, false},
		{"another port", at("192.0.2.1:5061", sipparse.UDP), 10, false}, {"another address", at("192.0.2.2:5060", sipparse.UDP), 10, false},
	} {
		if got := other.Has(c.at, c.now); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	v6 := at("[2001:db8::1]:5060", sipparse.UDP)
	if err := b.Add(at("[2001:db8::1]:5060", sipparse.ProtoNone), BlockPermanent, 10, 20, 32<<10); err != nil {
		t.Fatal(err)
	}
	if !other.Has(v6, 1000) {
		t.Error("a permanent entry without a protocol has run out, or does not stand for UDP")
	}
	if err := b.Add(udp, BlockTimeout, 12, 30, 32<<10); err != nil {
		t.Fatal(err)
	}
	if l, bytes := other.All(12); len(l) != 2 || bytes == 0 {
		t.Errorf("%d entries of %d bytes, want 2", len(l), bytes)
	}
	for i := range 5000 { // more than there is room for
		if err := b.Add(at(fmt.Sprintf("198.51.100.1:%d", i+1), sipparse.UDP), BlockSend, 10, uint64(20+i), 32<<10); err != nil {
			t.Fatal(err)
		}
	}
	if last := at("198.51.100.1:5000", sipparse.UDP); !other.Has(last, 10) || !other.Has(v6, 10) {
		t.Error("the newest entry or the permanent one is lost")
	}
	b.Clear()
	if l, _ := other.All(12); len(l) != 1 || l[0].Addr() != v6.Addr.Addr() {
		t.Errorf("left: %v", l)
	}
	if err := b.Add(udp, BlockSend, 10, 20, 0); err != nil {
		t.Errorf("a list that is there needs no memory: %v", err)
	}
	if errs := a.Verify(); len(errs) > 0 {
		t.Error(errs)
	}
}
