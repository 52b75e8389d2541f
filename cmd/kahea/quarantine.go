package main

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"kahea/cfglang/log"
	"kahea/procmgr"
	"kahea/reactor"
	"kahea/sipparse"
)

const (
	quarantineDir = "quarantine" // below the run directory
	savedEnd      = ".msg"
	maxSaved      = 64 // files; the oldest go first. With at most 64 KB of a message in each it is some 4 MB.
)

// quarantine keeps what workers were handling when they died: main's, and only there. Each message in hand at a death becomes a file; the list of what is dropped lies in
// shared memory, where the workers read it (reactor.Steering).
type quarantine struct {
	dir   string
	steer *reactor.Steering
	log   *log.Logger
	now   func() time.Time

	mu    sync.Mutex
	saved map[reactor.Digest]savedMessage // of what is dropped: the last death, without the bytes
}

// savedMessage is a file of the quarantine.
//
// It begins with lines of text, ended by a newline each, the first of which is "kahea message 1":
//
//	Time: 2026-11-24T11:35:45.123456Z                  of the death, UTC
//	Worker: 3 udp receiver child=2 sock=127.0.0.1:5060 process slot and description
//	Death: killed by signal 11 (SIGSEGV)               how it died
//	Deaths: 2                                          with these bytes in hand, this one included
//	Digest: ba7816bf8f01cfea                           the first 16 digits of the SHA-256 of the message's first 65536 bytes
//	Transport: udp
//	Source: 192.0.2.1:5060
//	Destination: 127.0.0.1:5060                        local socket
//	Length: 900                                        bytes of the message; over TCP more than 65536 are not kept
//
// After an empty line the message follows to the end of the file, byte for byte.
type savedMessage struct {
	Time   time.Time
	Worker string
	Death  string
	Deaths int
	Digest reactor.Digest
	Proto  sipparse.Proto
	Src    netip.AddrPort
	Dst    netip.AddrPort
	Length int
	Msg    []byte
	path   string // where it is saved; "": nowhere
}

const savedMagic = "kahea message 1\n"

var errNotSaved = errors.New("not a file of the quarantine")

func (m *savedMessage) append(b []byte) []byte {
	b = append(b, savedMagic...)
	b = fmt.Appendf(b, "Time: %s\nWorker: %s\nDeath: %s\nDeaths: %d\nDigest: %s\nTransport: %s\nSource: %s\nDestination: %s\nLength: %d\n\n",
		m.Time.UTC().Format(time.RFC3339Nano), m.Worker, m.Death, m.Deaths, m.Digest, m.Proto, m.Src, m.Dst, m.Length)
	return append(b, m.Msg...)
}

// parseSaved reads a file of the quarantine; errNotSaved when b does not begin as one.
func parseSaved(b []byte) (m savedMessage, err error) {
	rest, ok := bytes.CutPrefix(b, []byte(savedMagic))
	if !ok {
		return m, errNotSaved
	}
	for {
		l, r, ok := bytes.Cut(rest, []byte{'\n'})
		if !ok {
			return m, errors.New("saved message: no empty line behind the header")
		}
		if rest = r; len(l) == 0 {
			m.Msg = rest
			return m, nil
		}
		name, v, _ := strings.Cut(string(l), ": ")
		switch name {
		case "Time":
			m.Time, err = time.Parse(time.RFC3339Nano, v)
		case "Worker":
			m.Worker = v
		case "Death":
			m.Death = v
		case "Deaths":
			m.Deaths, err = strconv.Atoi(v)
		case "Digest":
			m.Digest, err = reactor.ParseDigest(v)
		case "Transport":
			if m.Proto, ok = sipparse.ParseProto([]byte(v)); !ok {
				err = errors.New("unknown transport")
			}
		case "Source":
			m.Src, err = netip.ParseAddrPort(v)
		case "Destination":
			m.Dst, err = netip.ParseAddrPort(v)
		case "Length":
			m.Length, err = strconv.Atoi(v)
		}
		if err != nil {
			return m, fmt.Errorf("saved message: %s %q: %w", name, v, err)
		}
	}
}

// newQuarantine is called in main once, before the children start: its died is the manager's Options.Died, and it answers the verbs of the RPC commands.
func (s *server) newQuarantine(steer *reactor.Steering) *quarantine {
	q := &quarantine{dir: filepath.Join(s.par.RunDir, quarantineDir), steer: steer, log: s.proc.Log, now: time.Now, saved: map[reactor.Digest]savedMessage{}}
	if s.verbs == nil {
		s.verbs = map[string]verb{}
	}
	s.verbs[verbQuarantine], s.verbs[verbRelease] = q.list, q.release
	return q
}

// died saves what the process in slot was handling and says what its successor gets. It is called one at a time, before the successor starts, so that the file is
// there even when the server stops with this death.
func (q *quarantine) died(p procmgr.Proc, slot int, status string) []int {
	fds, h := q.steer.Died(slot)
	if h != nil {
		q.keep(fmt.Sprintf("%d %s", slot, p.Desc), status, h)
	}
	return fds
}

func (q *quarantine) keep(worker, status string, h *reactor.Hand) {
	m := savedMessage{Time: q.now(), Worker: worker, Death: status, Deaths: h.Deaths, Digest: h.Digest, Proto: h.Proto, Src: h.Src, Dst: h.Dst, Length: h.Len, Msg: h.Msg}
	err := q.write(&m)
	if err != nil {
		q.log.Printf(log.Err, "<core>: ", "quarantine: %v", err)
	}
	what, then := "saved in "+m.path, "it gets another chance"
	if m.path == "" {
		what = "not saved"
	}
	if h.Dropped {
		then = "it is dropped from now on"
		m.Msg = nil
		q.mu.Lock()
		q.saved[h.Digest] = m
		q.mu.Unlock()
		q.forget()
	}
	q.log.Printf(log.Alert, "<core>: ", "message %s was in hand (%d bytes over %s from %s, death %d), %s: %s", h.Digest, h.Len, h.Proto, h.Src, h.Deaths, what, then)
}

// forget drops what is known of messages that are not on the list any more.
func (q *quarantine) forget() {
	listed := map[reactor.Digest]bool{}
	for _, k := range q.steer.Killers() {
		listed[k.Digest] = true
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for d := range q.saved {
		if !listed[d] {
			delete(q.saved, d)
		}
	}
}

// write makes m's file, under a name that sorts by time, and removes the oldest beyond the bound.
func (q *quarantine) write(m *savedMessage) error {
	if err := os.MkdirAll(q.dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(q.dir, m.Time.UTC().Format("20060102T150405.000000Z")+"-"+m.Digest.String()+savedEnd)
	tmp := path + ".new"
	err := os.WriteFile(tmp, m.append(nil), 0o600)
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	m.path = path
	return q.bound()
}

// bound removes the oldest files beyond the bound, and what a main that was killed while it wrote has left.
func (q *quarantine) bound() error {
	l, err := os.ReadDir(q.dir) // sorted by name
	if err != nil {
		return err
	}
	var errs []error
	n := 0
	for i := len(l) - 1; i >= 0; i-- {
		name := l[i].Name()
		if strings.HasSuffix(name, savedEnd) {
			n++
		}
		if n > maxSaved || strings.HasSuffix(name, savedEnd+".new") {
			errs = append(errs, os.RemoveAll(filepath.Join(q.dir, name)))
		}
	}
	return errors.Join(errs...)
}
