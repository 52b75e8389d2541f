package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	"kahea/perf/load"
)

// fault is something that happens to a server. Do does it and waits until the server is whole again, or says that it is not.
type fault struct {
	Name string
	Do   func(s *subject) (what string, err error)
}

// titles of processes
const (
	udpWorker   = "kahea udp receiver"
	tcpWorker   = "kahea tcp receiver"
	tcpMain     = "kahea tcp main"
	timer       = "kahea timer"
	slowTimer   = "kahea slow timer"
	secondTimer = "kahea secondary timer"
	ctl         = "kahea ctl handler"
)

const (
	backWithin = 10 * time.Second // a killed process; after several deaths in a row main waits before it starts one
	heartbeat  = 25 * time.Second // a stopped one is noticed after 10 s
)

const (
	ringTime     = 20 * time.Second // fr_inv_timer: longer than until a stopped process is noticed
	squeezeCalls = 30000            // 2.6 KB each
	squeezeEnds  = 90 * time.Second // ringTime, then fr_timer for the ACK that nobody sends
)

// maxWorkers is how many workers a second socket gets at most.
const maxWorkers = 5

// rare says that a fault keeps the server from its work for long: it comes once in rarely.
func (f *fault) rare() bool { return f.Name == "squeeze memory" }

const rarely = 4 * time.Minute

func faults() []fault {
	kill := func(title string) func(*subject) (string, error) {
		return func(s *subject) (string, error) { return s.signal(title, syscall.SIGKILL, backWithin) }
	}
	return []fault{
		{"kill udp worker", kill(udpWorker)},
		{"kill tcp worker", kill(tcpWorker)},
		{"kill tcp main", kill(tcpMain)},
		{"kill timer", kill(timer)},
		{"kill slow timer", kill(slowTimer)},
		{"kill 2nd timer", kill(secondTimer)},
		{"kill ctl", kill(ctl)},
		{"stop udp worker", func(s *subject) (string, error) { return s.signal(udpWorker, syscall.SIGSTOP, heartbeat) }},
		{"abort udp worker", func(s *subject) (string, error) { return s.signal(udpWorker, syscall.SIGABRT, backWithin) }},
		{"reload", func(s *subject) (string, error) {
			n := 1 + s.rand.IntN(maxWorkers)
			if err := s.configure(variant{Workers: n}); err != nil {
				return "", err
			}
			return fmt.Sprintf("%d workers", n), s.rpc("kahea.reload")
		}},
		{"reload, broken", func(s *subject) (string, error) {
			if err := s.configure(variant{Broken: true}); err != nil {
				return "", err
			}
			if err := s.rpc("kahea.reload"); err == nil || !strings.Contains(err.Error(), "refused") {
				return "", fmt.Errorf("a broken configuration: %w", errors.Join(errAccepted, err))
			}
			return "refused", nil
		}},
		{"upgrade", func(s *subject) (string, error) { return s.upgrade(backWithin) }},
		{"squeeze memory", func(s *subject) (string, error) {
			// more ringing calls than there is room for; nobody answers them, and fr_inv_timer ends them after ringTime
			s.squeezed = true
			r, err := load.Run(load.Config{Server: s.p.Addr, Scenario: load.Ring, Rate: 6000, Count: squeezeCalls, Timeout: ringTime}, nil)
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%d calls rang, %d were refused", r.Done, r.Failed), s.roomy(squeezeEnds)
		}},
		{"burst of messages", func(s *subject) (string, error) {
			r, err := load.Run(load.Config{Server: s.p.Addr, Scenario: load.Message, Rate: 3000, Duration: time.Second, Timeout: 64 * time.Second}, nil)
			if err != nil {
				return "", err
			}
			if r.Lost > 0 {
				err = fmt.Errorf("%d of %d messages got no answer: %w", r.Lost, r.Started, errLost)
			}
			return fmt.Sprintf("%d messages, %d refused", r.Started, r.Failed), err
		}},
	}
}

var (
	errAccepted = errors.New("accepted")
	errLost     = errors.New("lost")
)

// option is a name as --only has it.
func option(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, ",", ""), " ", "-")
}

// names are those of l, and some more, as --only has them.
func names[T any](l []T, name func(T) string, more ...string) (out []string) {
	for _, x := range l {
		out = append(out, option(name(x)))
	}
	return append(out, more...)
}

func (f fault) name() string { return f.Name }
func (k kill) name() string  { return k.Name }

// chosen checks --only against what there is.
func chosen(only, all []string) ([]string, error) {
	if len(only) == 0 {
		return all, nil
	}
	for _, n := range only {
		if !slices.Contains(all, n) {
			return nil, fmt.Errorf("--only %s: want some of %v", n, all)
		}
	}
	return only, nil
}

// choose keeps those of l that are wanted.
func choose[T any](l []T, name func(T) string, want []string) []T {
	return slices.DeleteFunc(l, func(x T) bool { return !slices.Contains(want, option(name(x))) })
}
