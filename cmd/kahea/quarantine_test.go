package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"kahea/cfglang/log"
	"kahea/modules"
	"kahea/reactor"
	"kahea/shm"
	"kahea/sipparse"
)

var savedExample = savedMessage{
	Time: time.Date(2026, 11, 24, 11, 35, 45, 123456000, time.UTC), Worker: "3 udp receiver child=2 sock=127.0.0.1:5060", Death: "killed by signal 11 (SIGSEGV)",
	Deaths: 2, Digest: 0xba7816bf8f01cfea, Proto: sipparse.UDP, Src: netip.MustParseAddrPort("192.0.2.1:5060"), Dst: netip.MustParseAddrPort("[2001:db8::1]:5060"),
	Length: 12, Msg: []byte("a\r\n\n\n: \x00\xff\n b"),
}

// savedExampleText is what an operator finds.
const savedExampleText = "kahea message 1\nTime: 2026-11-24T11:35:45.123456Z\nWorker: 3 udp receiver child=2 sock=127.0.0.1:5060\nDeath: killed by signal 11 (SIGSEGV)\nDeaths: 2\n" +
	"Digest: ba7816bf8f01cfea\nTransport: udp\nSource: 192.0.2.1:5060\nDestination: [2001:db8::1]:5060\nLength: 12\n\na\r\n\n\n: \x00\xff\n b"

func TestSavedMessage(t *testing.T) {
	if got := string(savedExample.append(nil)); got != savedExampleText {
		t.Errorf("saved as\n%q, want\n%q", got, savedExampleText)
	}
	m, err := parseSaved([]byte(savedExampleText))
	if err != nil || !reflect.DeepEqual(m, savedExample) {
		t.Errorf("read as\n%+v, %v, want\n%+v", m, err, savedExample)
	}
	for _, c := range []struct{ name, old, text string }{
		{"cut in the header", "\n\na\r\n\n\n: \x00\xff\n b", "\n"}, {"time", "2026-11-24", "yesterday"}, {"deaths", "Deaths: 2", "Deaths: two"}, {"digest", "ba7816bf8f01cfea", "ba"},
		{"transport", "udp\n", "carrier pigeon\n"}, {"source", "192.0.2.1:5060", "192.0.2.1"}, {"destination", "[2001:db8::1]:5060", ""}, {"length", "Length: 12", "Length: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := strings.Replace(savedExampleText, c.old, c.text, 1)
			if _, err := parseSaved([]byte(b)); err == nil || errors.Is(err, errNotSaved) {
				t.Errorf("error %v; want one that says what is wrong", err)
			}
		})
	}
	for _, b := range []string{"", "OPTIONS sip:a SIP/2.0\r\n\r\n", "kahea message 2\n"} {
		if _, err := parseSaved([]byte(b)); !errors.Is(err, errNotSaved) {
			t.Errorf("%q: error %v, want errNotSaved", b, err)
		}
	}
}

// testQuarantine is a quarantine with a clock of its own, and its log.
func testQuarantine(t *testing.T) (*quarantine, *bytes.Buffer) {
	a, err := shm.NewPrivate(4<<20, shm.QM)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	off, err := reactor.Prepare(a, nil, reactor.Options{}, 1)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	now := time.Unix(1e9, 0)
	return &quarantine{
		dir: filepath.Join(t.TempDir(), "run", quarantineDir), steer: reactor.NewSteering(a, off), log: log.New(log.Options{Stderr: true, Out: &out}, log.Err),
		saved: map[reactor.Digest]savedMessage{}, now: func() time.Time { now = now.Add(time.Microsecond); return now },
	}, &out
}

// TestQuarantineBound: the oldest files go, and what a writer that was killed has left; only the owner may read.
func TestQuarantineBound(t *testing.T) {
	q, out := testQuarantine(t)
	if err := os.MkdirAll(q.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(q.dir, "20000101T000000.000000Z-0000000000000001.msg.new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range maxSaved + 6 {
		q.keep("1 udp", "killed", &reactor.Hand{Msg: fmt.Append(nil, i), Digest: reactor.Digest(i + 1), Deaths: 1, Proto: sipparse.UDP, Src: savedExample.Src, Dst: savedExample.Dst})
	}
	l, err := os.ReadDir(q.dir)
	if err != nil || len(l) != maxSaved {
		t.Fatalf("%d files, %v; want %d", len(l), err, maxSaved)
	}
	for i, f := range l {
		b, err := os.ReadFile(filepath.Join(q.dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if m, err := parseSaved(b); err != nil || string(m.Msg) != fmt.Sprint(i+6) {
			t.Errorf("file %d has message %q, %v; want %d", i, m.Msg, err, i+6)
		}
		if st, err := f.Info(); err != nil || st.Mode() != 0o600 {
			t.Errorf("mode of %s: %v, %v", f.Name(), st.Mode(), err)
		}
	}
	if st, err := os.Stat(q.dir); err != nil || st.Mode() != 0o700|fs.ModeDir {
		t.Errorf("mode of the directory: %v, %v", st.Mode(), err)
	}
	if n := strings.Count(out.String(), "saved in "+q.dir); n != maxSaved+6 {
		t.Errorf("%d lines say where it is saved:\n%s", n, out)
	}
}

// TestQuarantineNoDirectory: what can not be saved is logged, and that is all.
func TestQuarantineNoDirectory(t *testing.T) {
	q, out := testQuarantine(t)
	if err := os.WriteFile(filepath.Dir(q.dir), nil, 0o600); err != nil { // a file in the place of the run directory
		t.Fatal(err)
	}
	q.keep("1 udp", "killed", &reactor.Hand{Msg: []byte("x"), Len: 1, Digest: 1, Deaths: 1})
	for _, want := range []string{"quarantine: mkdir ", "message 0000000000000001 was in hand", "not saved: it gets another chance"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, out)
		}
	}
}

func TestReleaseFaults(t *testing.T) {
	q, _ := testQuarantine(t)
	for _, c := range []struct {
		arg  string
		code int
	}{{"x", 400}, {"0000000000000001", 404}} {
		_, err := q.release([]string{c.arg})
		var f *modules.Fault
		if !errors.As(err, &f) || f.Code != c.code {
			t.Errorf("release %s: %v, want fault %d", c.arg, err, c.code)
		}
	}
	if out, err := q.release([]string{"all"}); err != nil || len(out) != 1 || out[0].Members[0].Int != 0 {
		t.Errorf("release all of nothing: %v, %v", out, err)
	}
}
