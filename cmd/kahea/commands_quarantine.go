package main

import (
	"errors"
	"os"
	"time"

	"kahea/modules"
	"kahea/reactor"
)

// Verbs of the quarantine.
const (
	verbQuarantine = "quarantine"
	verbRelease    = "quarantine.release"
)

// quarantineCommands are the RPC commands about messages that have killed workers.
func (s *server) quarantineCommands() []modules.RPC {
	return []modules.RPC{
		{Name: "kahea.quarantine", Array: true, Doc: "Lists the messages that are dropped because each was in hand at two deaths of a worker.", Run: func(r *modules.Request) error {
			return s.ask(r, verbQuarantine)
		}},
		{Name: "kahea.quarantine.release", Doc: "Has a message handled again, by its digest, or all.", Run: func(r *modules.Request) error {
			d, ok := r.NextStr()
			if !ok || r.More() {
				return modules.NewFault(400, "want one parameter: a digest of kahea.quarantine, or all")
			}
			return s.ask(r, verbRelease, d)
		}},
	}
}

// list is kahea.quarantine.
func (q *quarantine) list([]string) (out []*modules.Node, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, k := range q.steer.Killers() {
		n := &modules.Node{Kind: modules.KindStruct}
		m := q.saved[k.Digest]
		n.AddStr("digest", k.Digest.String())
		n.AddStr("since", k.Since.UTC().Format(time.RFC3339))
		n.AddInt("drops", int64(k.Drops))
		last := "never"
		if !k.Last.IsZero() {
			last = k.Last.UTC().Format(time.RFC3339)
		}
		n.AddStr("last", last)
		n.AddStr("source", m.Proto.String()+":"+m.Src.String())
		n.AddInt("bytes", int64(m.Length))
		n.AddStr("death", m.Death)
		file := m.path
		if _, err := os.Stat(file); err != nil {
			file = "none"
		}
		n.AddStr("file", file)
		out = append(out, n)
	}
	return out, nil
}

// release is kahea.quarantine.release.
func (q *quarantine) release(args []string) (out []*modules.Node, err error) {
	if len(args) != 1 {
		return nil, errors.New("release: want a digest or all")
	}
	n := 0
	if args[0] == "all" {
		for _, k := range q.steer.Killers() {
			if q.steer.Release(k.Digest) {
				n++
			}
		}
	} else {
		d, err := reactor.ParseDigest(args[0])
		if err != nil {
			return nil, modules.NewFault(400, "%v", err)
		}
		if !q.steer.Release(d) {
			return nil, modules.NewFault(404, "no message %s is dropped", d)
		}
		n = 1
	}
	q.forget()
	r := &modules.Node{Kind: modules.KindStruct}
	r.AddInt("released", int64(n))
	return []*modules.Node{r}, nil
}
