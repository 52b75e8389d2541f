package shm

import (
	"os/exec"
	"testing"
)

func TestCounters(t *testing.T) {
	a := newTest(t, 4<<20, QM)
	c := NewCounters(a)
	replies, err := c.Register("tm", "replies")
	if err != nil {
		t.Fatal(err)
	}
	var many []Counter
	for i := range 100 {
		many = append(many, must(c.Register("core", string(rune('a'+i)))))
	}
	if k, err := c.Register("tm", "replies"); k != replies || err != nil {
		t.Errorf("registered again as %d, %v", k, err)
	}
	_, err = c.Register("tm", "")
	is(t, err, ErrName)
	c.Add(replies, 5) // before Seal
	c.Add(many[99], 1)
	for _, n := range []int{0, 513} {
		is(t, c.Seal(n), ErrSize)
	}
	if err := c.Seal(4); err != nil {
		t.Fatal(err)
	}
	is(t, c.Seal(4), ErrSealed)
	late := must(c.Register("tm", "late"))
	c.Add(late, 7)
	for i := range spareCounters - 1 {
		must(c.Register("late", string(rune('a'+i))))
	}
	_, err = c.Register("tm", "too late")
	is(t, err, ErrSealed)
	if k, ok := NewCounters(a).Lookup("tm", "late"); k != late || !ok {
		t.Errorf("a process that begins later finds %d, %v; want %d", k, ok, late)
	}
	if n := c.Sum(late); n != 7 {
		t.Errorf("late: %d", n)
	}
	c.Add(replies, -2)
	var cmds []*exec.Cmd
	for slot := 1; slot < 4; slot++ {
		cmds = append(cmds, spawn(t, a, slot, "count"))
	}
	run(t, cmds...)
	if n := c.Sum(replies); n != 3003 {
		t.Errorf("sum is %d, want 3003", n)
	}
	if n := c.Sum(many[99]); n != 1 {
		t.Errorf("sum of the last is %d, want 1", n)
	}
	c.Reset(replies)
	if n := c.Sum(replies); n != 0 {
		t.Errorf("sum is %d after Reset", n)
	}
	c.Add(replies, 7)
	b := must(Attach(must(dup(a.FD())), 2))
	defer b.Close()
	cb := NewCounters(b)
	if n := cb.Sum(replies); n != 7 {
		t.Errorf("another process reads %d, want 7", n)
	}
	i := Counter(0)
	cb.Each(func(group, name string, k Counter) bool {
		if wantK, ok := c.Lookup(group, name); !ok || k != wantK || k != i {
			t.Errorf("counter %d: %s.%s is %d", i, group, name, k)
		}
		i++
		return i < 50
	})
	if i != 50 {
		t.Errorf("visited %d", i)
	}
	d := must(Attach(must(dup(a.FD())), 4))
	defer d.Close()
	panics(t, func() { NewCounters(d) })
	for row := range 5 {
		if o := a.OffOf(ptr(&c.cells(row)[0])); o%cacheLine != 0 {
			t.Errorf("row %d begins at %#x", row, o)
		}
	}
}

func TestCountersNoMemory(t *testing.T) {
	a := newTest(t, 1<<20, QM)
	c := NewCounters(a)
	for i := range 2000 {
		must(c.Register("core", string(rune('a'+i))))
	}
	before := a.Usage().Used
	is(t, c.Seal(512), ErrNoMemory)
	if after := a.Usage().Used; after != before {
		t.Errorf("used %d, was %d", after, before)
	}
	if err := c.Seal(2); err != nil {
		t.Error(err)
	}
}
