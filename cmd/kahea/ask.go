package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"kahea/cfglang/log"
	"kahea/modules"
)

// verb is something that only main can do, for RPC commands that run in a child. It runs on a goroutine of its own.
type verb func(args []string) (out []*modules.Node, err error)

// question and reply travel on the control socket.
type question struct {
	ID   uint64
	Verb string
	Args []string
}

type reply struct {
	ID    uint64
	Out   []*modules.Node
	Fault *modules.Fault
}

// asking is a child's half.
type asking struct {
	next uint64
	open map[uint64]*modules.Request
	send func(kind uint8, payload []byte, fds ...int) error
}

// ask has main do something for r, which is answered when main has answered. On the loop.
func (s *server) ask(r *modules.Request, verb string, args ...string) error {
	if s.asking == nil {
		return modules.NewFault(500, "%s: this process has no main to ask", verb)
	}
	s.asking.next++
	q := question{s.asking.next, verb, args}
	b, err := json.Marshal(q)
	if err == nil {
		err = s.asking.send(msgAsk, b)
	}
	if err != nil {
		return modules.NewFault(500, "ask main to %s: %v", verb, err)
	}
	s.asking.open[q.ID] = r
	r.Delayed = true
	return nil
}

// answered handles main's answer. On the loop.
func (s *server) answered(b []byte) {
	var a reply
	if err := json.Unmarshal(b, &a); err != nil {
		s.proc.Log.Printf(log.Err, "<core>: ", "answer of main: %v", err)
		return
	}
	if r := s.asking.open[a.ID]; r != nil {
		delete(s.asking.open, a.ID)
		r.Out, r.Fault = append(r.Out, a.Out...), a.Fault
		r.Reply()
	}
}

// asked handles a child's question in main; send sends to the child.
func (s *server) asked(slot int, b []byte, send func(payload []byte) error) {
	var q question
	err := json.Unmarshal(b, &q)
	if err != nil {
		s.proc.Log.Printf(log.Err, "<core>: ", "question of a child: %v", err)
		return
	}
	go func() {
		a := reply{ID: q.ID}
		if q.Verb == "upgrade" { // the answer comes from the new binary
			if err := s.upgrade(slot, q); !errors.As(err, &a.Fault) {
				a.Fault = &modules.Fault{Code: 500, Text: err.Error()}
			}
		} else if f := s.verbs[q.Verb]; f == nil {
			a.Fault = &modules.Fault{Code: 500, Text: fmt.Sprintf("main does not know %q", q.Verb)}
		} else if out, err := f(q.Args); err == nil {
			a.Out = out
		} else if !errors.As(err, &a.Fault) {
			a.Fault = &modules.Fault{Code: 500, Text: err.Error()}
		}
		b, err := json.Marshal(a)
		if err == nil {
			err = send(b)
		}
		if err != nil {
			s.proc.Log.Printf(log.Err, "<core>: ", "answer to %q: %v", q.Verb, err)
		}
	}()
}
