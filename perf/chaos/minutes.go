package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// minutes writes a line a minute: what was done until then, and how large the server is. It is for runs of hours: what grows is seen before the end.
type minutes struct {
	s    *subject
	m    *mix
	t    *table
	f    *os.File // nil: none is wanted
	base size
	stop chan struct{}
	done chan error
}

// most is how much private memory (of all processes) may be at the end of what was at the beginning: twice that, and something for each process to fill.
func (z size) most() int64 { return 2*z.Private + 64<<20 }

var errGrown = errors.New("has grown")

// minutes begins to watch; the server is as large as it was before the first fault.
func (o *options) minutes(s *subject, m *mix, t *table) (mi *minutes, err error) {
	mi = &minutes{s: s, m: m, t: t, stop: make(chan struct{}), done: make(chan error, 1)}
	if mi.base, err = s.size(); err != nil {
		return nil, err
	}
	if o.Minutes == "" {
		close(mi.done)
		return mi, nil
	}
	if mi.f, err = os.Create(o.Minutes); err != nil {
		return nil, err
	}
	head := []string{"time", "minutes", "faults", "failed", "started", "done", "refused", "lost", "retransmissions", "shm", "processes", "threads", "descriptors", "private", "main"}
	if _, err := fmt.Fprintln(mi.f, strings.Join(head, "\t")); err != nil {
		return nil, err
	}
	go func() { mi.done <- mi.write() }()
	return mi, nil
}

func (mi *minutes) write() error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		if err := mi.line(time.Now()); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-mi.stop:
			return mi.line(time.Now())
		}
	}
}

func (mi *minutes) line(now time.Time) error {
	c, err := mi.m.count()
	if err != nil {
		return err
	}
	st, err := mi.s.look()
	if err != nil {
		return err
	}
	z, err := mi.s.size()
	if err != nil {
		return err
	}
	n, failed := mi.t.sum()
	_, err = fmt.Fprintf(mi.f, "%s\t%.1f\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", now.UTC().Format(time.TimeOnly), now.Sub(mi.m.began).Minutes(), n, failed,
		c.Started, c.Done, c.Failed, c.Lost, c.Retransmits, st.used, st.procs, z.Threads, st.fds, z.Private>>10, z.Main>>10)
	return err
}

// end writes the last line and says whether the server's own memory has grown.
func (mi *minutes) end() error {
	close(mi.stop)
	if err := <-mi.done; err != nil {
		return fmt.Errorf("line a minute: %w", err)
	}
	if mi.f != nil {
		if err := mi.f.Close(); err != nil {
			return err
		}
	}
	z, err := mi.s.size()
	if err != nil {
		return err
	}
	fmt.Printf("private memory of all processes: %d kB before the first fault, %d kB after the last; of main: %d kB, %d kB\n", mi.base.Private>>10, z.Private>>10, mi.base.Main>>10, z.Main>>10)
	if z.Private > mi.base.most() {
		return fmt.Errorf("private memory of all processes %w: %d bytes, then %d", errGrown, mi.base.Private, z.Private)
	}
	return nil
}
