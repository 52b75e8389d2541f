// Package ctl serves the control sockets that kamcmd speaks to: RPC commands in binrpc over unix, TCP and UDP sockets.
//
// Main opens the sockets in Init, while it is still root, and keeps the descriptors for one process, "ctl handler". There each socket has a
// goroutine that accepts or reads, each connection one that reads; the commands run on the loop, one at a time.
package ctl

import (
	"errors"
	"fmt"
	"os"

	"kahea/modules"
)

func init() {
	modules.Register("ctl", func() modules.Module {
		return &mod{mode: 0o600, maxBody: 32, maxStruct: 8, bufferSize: 1024, user: -1, group: -1}
	})
}

var (
	_ modules.Module  = (*mod)(nil)
	_ modules.Setuper = (*mod)(nil)
	_ modules.Initer  = (*mod)(nil)
	_ modules.Runner  = (*mod)(nil)
	_ modules.Closer  = (*mod)(nil)
)

type mod struct {
	mode, autoconversion int
	maxBody, maxStruct   int // KB
	bufferSize           int
	user, group          int // -1: the process's
	specs                []spec
	h                    *modules.Host
	files                []*os.File // main: what the child inherits
	adopted              []string   // main after an upgrade: paths to remove at the end
	srv                  *server    // child
}

func (m *mod) Exports() modules.Exports {
	return modules.Exports{
		Params: []modules.Param{
			{Name: "binrpc", Fixed: true, Type: modules.StrParam, Func: m.addSocket, Doc: "socket to serve, may be repeated: [proto:]address[:port] with proto unixs (or unix), unixd, udp, tcp; port 2049; default unixs:<run_dir>/kamailio_ctl"},
			{Name: "fifo", Type: modules.StrParam, Func: func(modules.Value) error {
				return errors.New("the text fifo is not there yet: use binrpc or jsonrpcs")
			}, Doc: "text protocol over a fifo (not there yet)"},
			{Name: "mode", Fixed: true, Int: &m.mode, Max: 0o777, Doc: "permissions of unix sockets, 0600"},
			{Name: "user", Fixed: true, Type: modules.AnyParam, Func: func(v modules.Value) (err error) {
				m.user, err = v.UserID()
				return err
			}, Doc: "owner of unix sockets, the process's user by default"},
			{Name: "group", Fixed: true, Type: modules.AnyParam, Func: func(v modules.Value) (err error) {
				m.group, err = v.GroupID()
				return err
			}, Doc: "group of unix sockets, the process's group by default"},
			{Name: "autoconversion", Int: &m.autoconversion, Max: 1, Doc: "1: numbers and texts are converted where a command wants the other, 0"},
			{Name: "binrpc_max_body_size", Int: &m.maxBody, Min: 1, Max: 1 << 20, Doc: "longest reply in KB, 32"},
			{Name: "binrpc_struct_max_body_size", Int: &m.maxStruct, Min: 1, Max: 1 << 20, Doc: "longest struct of a reply in KB, 8"},
			{Name: "binrpc_buffer_size", Int: &m.bufferSize, Min: 1, Max: 1 << 20, Doc: "Kamailio's buffer for temporary strings; makes no difference here, where texts have no limit of their own"},
		},
		RPC: []modules.RPC{
			{Name: "ctl.who", Doc: "list open connections", Run: m.who},
			{Name: "ctl.connections", Doc: "returns number of open connections", Run: m.connections},
			{Name: "ctl.listen", Doc: "list ctl listen sockets", Run: m.listen},
		},
	}
}

func (m *mod) addSocket(v modules.Value) error {
	s, err := parseSpec(v.Str)
	if err == nil {
		m.specs = append(m.specs, s)
	}
	return err
}

func (m *mod) Setup(h *modules.Host) error {
	m.h = h
	if len(m.specs) == 0 {
		m.specs = []spec{{proto: "unixs", path: h.RunDir + "/kamailio_ctl"}}
	}
	if m.user < 0 {
		m.user = h.User
	}
	if m.group < 0 {
		m.group = h.Group
	}
	return nil
}

// Init opens the sockets in main.
func (m *mod) Init(h *modules.Host) error {
	for i := range m.specs {
		if h.Files(fileName(i)) >= 0 { // a reload: the sockets are there
			if h.Resumed {
				m.adopted = append(m.adopted, m.specs[i].path)
			}
			continue
		}
		f, err := m.specs[i].open(os.FileMode(m.mode), m.user, m.group)
		if err != nil {
			return err
		}
		m.files = append(m.files, f)
		h.KeepFile(fileName(i), int(f.Fd()))
	}
	return nil
}

func fileName(i int) string { return fmt.Sprintf("ctl:%d", i) }

// Procs asks for the process that serves.
func (m *mod) Procs() []modules.Proc {
	return []modules.Proc{{Desc: "ctl handler", Rank: -2, Kind: "handler"}}
}

// Run serves in the child.
func (m *mod) Run(h *modules.Host, _ string) error {
	m.srv = newServer(m)
	for i := range m.specs {
		if err := m.srv.serve(&m.specs[i], h.Files(fileName(i))); err != nil {
			return err
		}
	}
	return nil
}

// Drain is modules.Drainer.
func (m *mod) Drain() bool { return m.srv == nil || m.srv.drain() }

// Close ends the connections; main also removes the socket files that it made.
func (m *mod) Close() error {
	if m.srv != nil {
		m.srv.close()
	}
	var errs []error
	for i, f := range m.files {
		errs = append(errs, f.Close())
		m.adopted = append(m.adopted, m.specs[i].path)
	}
	for _, p := range m.adopted {
		if p == "" {
			continue
		}
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	m.files, m.adopted = nil, nil
	return errors.Join(errs...)
}

var errOnlyHere = &modules.Fault{Code: 606, Text: "rpc available only over binrpc (ctl)"}

func (m *mod) who(r *modules.Request) error {
	if r.Peer == nil || m.srv == nil {
		return errOnlyHere
	}
	l := m.srv.peers()
	if len(l) == 0 {
		return modules.NewFault(400, "no open stream connection")
	}
	for _, p := range l {
		r.AddStr("binrpc")
		for _, s := range p {
			r.AddStr(s)
		}
	}
	return nil
}

func (m *mod) connections(r *modules.Request) error {
	if r.Peer == nil || m.srv == nil {
		return errOnlyHere
	}
	r.AddInt(int64(len(m.srv.peers())))
	return nil
}

func (m *mod) listen(r *modules.Request) error {
	if r.Peer == nil {
		return nil
	}
	for i := range m.specs {
		s := &m.specs[i]
		r.AddStr("binrpc")
		r.AddStr(s.name())
		r.AddStr(s.host())
		r.AddStr(s.portText())
	}
	return nil
}
