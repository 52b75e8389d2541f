package log

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// TestLine checks the forms of a line.
func TestLine(t *testing.T) {
	pid := os.Getpid()
	for _, tc := range []struct {
		name string
		o    Options
		f    func(l *Logger)
		want string
	}{
		{"Printf", Options{Slot: 3}, func(l *Logger) { l.Printf(Err, "tm: ", "x %d", 1) }, fmt.Sprintf(" 3(%d) ERROR: tm: x 1\n", pid)},
		{"place", Options{}, func(l *Logger) {
			l.Write(&Line{Level: Err, Where: "tm: ", File: "a.cfg", Number: 7, Place: true, Prefix: []byte("p ")}, []byte("x"))
		}, fmt.Sprintf(" 0(%d) ERROR: p tm [a.cfg:7]: x\n", pid)},
		{"two digits", Options{Slot: 12}, func(l *Logger) { l.Printf(Warn, "<core>: ", "x") }, fmt.Sprintf("12(%d) WARNING: <core>: x\n", pid)},
		{"has a line end", Options{}, func(l *Logger) { l.Printf(Notice, "", "x\n") }, fmt.Sprintf(" 0(%d) NOTICE: x\n", pid)},
		{"empty", Options{}, func(l *Logger) { l.Write(&Line{Level: Info, Where: "a: "}, nil) }, fmt.Sprintf(" 0(%d) INFO: a: \n", pid)},
		{"prefix", Options{}, func(l *Logger) { l.Write(&Line{Level: Info, Prefix: []byte("{1} "), Where: "a: "}, []byte("x")) }, fmt.Sprintf(" 0(%d) INFO: {1} a: x\n", pid)},
		{"raw", Options{}, func(l *Logger) { l.Write(&Line{Level: Debug, Where: "<script>: ", Raw: true}, []byte("x")) }, fmt.Sprintf(" 0(%d) DEBUG: <script>: x", pid)},
		{"colour", Options{Colour: true}, func(l *Logger) { l.Printf(Err, "", "x") }, fmt.Sprintf("\x1b[0;31;49m 0(%d) ERROR: x\n\x1b[0;39;49m", pid)},
		{"colour of a level", Options{Colour: true}, func(l *Logger) { l.SetColour(Warn, "<w>"); l.Printf(Warn, "", "x"); l.Printf(Alert, "", "y") },
			fmt.Sprintf("<w> 0(%d) WARNING: x\n\x1b[0;39;49m\x1b[1;31;49m 0(%d) ALERT: y\n\x1b[0;39;49m", pid, pid)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b bytes.Buffer
			tc.o.Stderr, tc.o.Out = true, &b
			tc.f(New(tc.o, Debug))
			if b.String() != tc.want {
				t.Errorf("got %q, want %q", b.String(), tc.want)
			}
		})
	}
}

// TestLevel says what is written, by the level in force and who set it.
func TestLevel(t *testing.T) {
	for _, tc := range []struct {
		name string
		set  func(l *Logger)
		want string // names of the levels written
	}{
		{"its own", func(*Logger) {}, "ALERT BUG CRITICAL ERROR WARNING"},
		{"of shared memory", func(l *Logger) { n := int64(2); l.Follow(&n) }, "ALERT BUG CRITICAL ERROR WARNING NOTICE INFO"},
		{"of the process", func(l *Logger) { n := int64(2); l.Follow(&n); l.SetLocal(Err) }, "ALERT BUG CRITICAL ERROR"},
		{"no more of the process", func(l *Logger) { n := int64(3); l.Follow(&n); l.SetLocal(Err); l.ClearLocal() }, "ALERT BUG CRITICAL ERROR WARNING NOTICE INFO DEBUG"},
		{"silence", func(l *Logger) { l.SetLocal(Alert - 1) }, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b bytes.Buffer
			l := New(Options{Stderr: true, Out: &b}, Warn)
			tc.set(l)
			for _, v := range []Level{Alert, Bug, Crit, Err, Warn, Notice, Info, Debug} {
				l.Printf(v, "", "")
			}
			var got []string
			for line := range strings.Lines(b.String()) {
				_, name, _ := strings.Cut(strings.TrimSuffix(line, ": \n"), ") ")
				got = append(got, name)
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("got %q, want %q", s, tc.want)
			}
		})
	}
}

func TestLevelNames(t *testing.T) {
	for v, want := range map[Level]string{-9: "ALERT", -5: "ALERT", -2: "CRITICAL", 0: "WARNING", 3: "DEBUG", 7: "DEBUG"} {
		if got := v.String(); got != want {
			t.Errorf("%d: got %s, want %s", v, got, want)
		}
	}
}

// TestWhole writes from many goroutines: no line is torn.
func TestWhole(t *testing.T) {
	var b bytes.Buffer
	l := New(Options{Stderr: true, Out: &b}, Debug)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				l.Printf(Err, "a: ", "%s", strings.Repeat("x", 50))
			}
		})
	}
	wg.Wait()
	n := 0
	for line := range strings.Lines(b.String()) {
		if n++; !strings.HasSuffix(line, ") ERROR: a: "+strings.Repeat("x", 50)+"\n") {
			t.Fatalf("torn line %q", line)
		}
	}
	if n != 800 {
		t.Errorf("%d lines, want 800", n)
	}
}

func TestParseFacility(t *testing.T) {
	for _, tc := range []struct {
		name string
		ok   bool
	}{{"LOG_LOCAL0", true}, {"LOG_DAEMON", true}, {"log_local1", true}, {"Log_Mail", true}, {"LOG_LOCAL8", false}, {"", false}} {
		if _, ok := ParseFacility(tc.name); ok != tc.ok {
			t.Errorf("%q: %v, want %v", tc.name, ok, tc.ok)
		}
	}
}
