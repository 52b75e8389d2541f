package main

import (
	"fmt"
	"sync/atomic"

	"kahea/modules"
	"kahea/shm"
)

// runtimeVars is the root "cfg": the numbers that may change while the server runs, by row of the parameter table. Every process reads
// them in place.
type runtimeVars struct {
	Val [256]int64
}

// runtimeConfig is the run-time configuration (core.md 14) on that root.
type runtimeConfig struct {
	s    *server
	root *runtimeVars
}

// open finds or makes the root; main fills it from the configuration.
func (r *runtimeConfig) open(a *shm.Arena) error {
	ref, created, err := shm.Root[runtimeVars](a, "cfg")
	if err != nil {
		return err
	}
	r.root = ref.Get(a)
	for i := range r.s.table {
		t := &r.s.table[i]
		if created && t.Runtime != "" && t.Int != nil {
			r.root.Val[i] = int64(*t.Int)
		}
		if t.Name == "debug" {
			r.s.proc.Log.Follow(&r.root.Val[i])
		}
	}
	return nil
}

func (r *runtimeConfig) find(group, name string) int {
	for i := range r.s.table {
		t := &r.s.table[i]
		n := t.RTName
		if n == "" {
			n = t.Name
		}
		if t.Runtime == group && n == name {
			return i
		}
	}
	return -1
}

// Get reads a variable.
func (r *runtimeConfig) Get(group, name string) (modules.Value, bool) {
	i := r.find(group, name)
	if i < 0 {
		return modules.Value{}, false
	}
	return modules.Value{Int: int(atomic.LoadInt64(&r.root.Val[i])), IsInt: true}, true
}

// Set changes a variable at once, in all processes.
func (r *runtimeConfig) Set(group, name string, v modules.Value) error {
	i := r.find(group, name)
	if i < 0 {
		return fmt.Errorf("variable %s.%s not found", group, name)
	}
	t := &r.s.table[i]
	if !v.IsInt {
		return fmt.Errorf("variable %s.%s is a number", group, name)
	}
	if (t.Min != 0 || t.Max != 0) && (v.Int < t.Min || t.Max != 0 && v.Int > t.Max) {
		return fmt.Errorf("variable %s.%s: got %d, want %d to %d", group, name, v.Int, t.Min, t.Max)
	}
	atomic.StoreInt64(&r.root.Val[i], int64(v.Int))
	return nil
}

// Each walks all variables.
func (r *runtimeConfig) Each(f func(group, name string, v modules.Value, desc string)) {
	for i := range r.s.table {
		t := &r.s.table[i]
		if t.Runtime == "" {
			continue
		}
		n := t.RTName
		if n == "" {
			n = t.Name
		}
		f(t.Runtime, n, modules.Value{Int: int(atomic.LoadInt64(&r.root.Val[i])), IsInt: true}, t.Doc)
	}
}
