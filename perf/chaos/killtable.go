package main

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// killTable is what the deaths of each kind cost. What begins and fails between one death and the next is put down to the former.
type killTable struct {
	rows []killRow
	now  int // row of the last death
	last count
}

type killRow struct {
	name      string
	kills     int
	c         count
	sum, most time.Duration
	errs      []error
}

// begin is called just before a process of a kind is hit.
func (t *killTable) begin(name string, c count) {
	t.rest(c)
	for i := range t.rows {
		if t.rows[i].name == name {
			t.now = i
			return
		}
	}
	t.now = len(t.rows)
	t.rows = append(t.rows, killRow{name: name})
}

// end is called when the server is whole again.
func (t *killTable) end(d time.Duration, err error) {
	r := &t.rows[t.now]
	r.kills++
	r.sum += d
	r.most = max(r.most, d)
	if err != nil {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", r.name, err))
	}
}

// rest puts down what has come to be since the last death.
func (t *killTable) rest(c count) {
	if len(t.rows) > 0 {
		t.rows[t.now].c = t.rows[t.now].c.plus(c.minus(t.last))
	}
	t.last = c
}

func (t *killTable) err() error {
	var errs []error
	for _, r := range t.rows {
		errs = append(errs, r.errs...)
	}
	return errors.Join(errs...)
}

func (t *killTable) String() string {
	var b strings.Builder
	b.WriteString("| kind             | kills |  calls | failed | lost | retransmissions | mean until whole | longest |\n" +
		"|------------------|------:|-------:|-------:|-----:|----------------:|-----------------:|--------:|\n")
	for _, r := range t.rows {
		mean := r.sum / time.Duration(max(1, r.kills))
		fmt.Fprintf(&b, "| %-16s | %5d | %6d | %6d | %4d | %15d | %16v | %7v |\n", r.name, r.kills, r.c.Started, r.c.Failed, r.c.Lost, r.c.Retransmits,
			mean.Round(time.Millisecond), r.most.Round(time.Millisecond))
	}
	return b.String()
}
