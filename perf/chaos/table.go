package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// table is what each kind of fault cost.
type table struct {
	mu   sync.Mutex
	rows []tableRow
}

type tableRow struct {
	name      string
	n, failed int
	sum, most time.Duration // until the server was whole again
	errs      []error
}

func newTable(l []fault) *table {
	t := &table{}
	for _, f := range l {
		t.rows = append(t.rows, tableRow{name: f.Name})
	}
	return t
}

func (t *table) add(name string, d time.Duration, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.rows {
		if r := &t.rows[i]; r.name == name {
			r.n++
			r.sum += d
			r.most = max(r.most, d)
			if err != nil {
				r.failed++
				r.errs = append(r.errs, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
}

// sum is how many faults there were, and how many of them the server did not bear.
func (t *table) sum() (n, failed int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, r := range t.rows {
		n, failed = n+r.n, failed+r.failed
	}
	return n, failed
}

func (t *table) err() error {
	var errs []error
	for _, r := range t.rows {
		errs = append(errs, r.errs...)
	}
	return errors.Join(errs...)
}

func (t *table) String() string {
	var b strings.Builder
	b.WriteString("| fault              | times | failed | mean until whole | longest |\n|--------------------|------:|-------:|-----------------:|--------:|\n")
	for _, r := range t.rows {
		mean := time.Duration(0)
		if r.n > 0 {
			mean = r.sum / time.Duration(r.n)
		}
		fmt.Fprintf(&b, "| %-18s | %5d | %6d | %16v | %7v |\n", r.name, r.n, r.failed, mean.Round(time.Millisecond), r.most.Round(time.Millisecond))
	}
	return b.String()
}
