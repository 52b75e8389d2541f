package dlgs

import (
	"bytes"

	"kahea/modules"
	"kahea/shm"
)

func (m *mod) commands() []modules.RPC {
	list := func(name, doc string, brief bool) modules.RPC {
		return modules.RPC{Name: name, Array: true, Doc: doc, Run: func(r *modules.Request) error {
			m.list(r, fieldAny, nil, brief, 0)
			return nil
		}}
	}
	get := func(name, doc string, most int) modules.RPC {
		return modules.RPC{Name: name, Array: true, Doc: doc, Run: func(r *modules.Request) error {
			field, is, err := condition(r)
			if err != nil {
				return err
			}
			if m.list(r, field, is, false, most) == 0 {
				return modules.NewFault(404, "Not found")
			}
			return nil
		}}
	}
	return []modules.RPC{
		{Name: "dlgs.stats", Doc: "how many calls are in which state", Run: m.stats},
		list("dlgs.list", "all calls", false), list("dlgs.briefing", "all calls, in short", true),
		get("dlgs.get", "the first call whose field (src, dst, data, any) is eq, ne, re, sw or fm a value", 1), get("dlgs.getall", "all such calls", 0),
		{Name: "dlgs.count", Doc: "how many such calls have not ended", Run: func(r *modules.Request) error {
			field, is, err := condition(r)
			if err != nil {
				return err
			}
			r.AddStruct().AddInt("count", int64(m.count(field, is)))
			return nil
		}},
	}
}

// condition reads field, operator and value.
func condition(r *modules.Request) (field int, is func(b []byte) bool, err error) {
	var text [3]string
	for i := range text {
		if text[i], err = r.Str(); err != nil {
			return 0, nil, err
		}
	}
	if field, err = fieldOf(text[0]); err == nil {
		is, err = operator(text[1], []byte(text[2]))
	}
	if err != nil {
		return 0, nil, modules.NewFault(400, "%v", err)
	}
	return field, is, nil
}

// list adds the calls that match, most at most (0: all), and says how many.
func (m *mod) list(r *modules.Request, field int, is func(b []byte) bool, brief bool, most int) (n int) {
	m.each(func(o shm.Off, k *call) bool {
		if most > 0 && n == most || !m.matches(o, k, field, is) {
			return true
		}
		n++
		s := r.AddStruct()
		s.AddStr("callid", string(m.text(o, k, fieldCallID)))
		s.AddStr("src", string(m.text(o, k, fieldSrc)))
		s.AddStr("dst", string(m.text(o, k, fieldDst)))
		s.AddStr("state", stateNames[k.state])
		if brief {
			return true
		}
		s.AddStr("ftag", string(m.text(o, k, fieldFromTag)))
		s.AddStr("data", string(m.text(o, k, fieldData)))
		s.AddInt("ts_init", k.begun)
		s.AddInt("ts_answer", k.start)
		s.AddInt("ts_finish", k.end)
		tags := s.AddArray("tags")
		for t := range bytes.SplitSeq(m.tagsOf(k), []byte("\n")) {
			if len(t) > 0 {
				tags.AddStr("", string(t))
			}
		}
		return true
	})
	return n
}

func (m *mod) stats(r *modules.Request) error {
	var n [len(stateNames)]int64
	m.each(func(_ shm.Off, k *call) bool { n[k.state]++; return true })
	s := r.AddStruct()
	for i := stateInit; i < len(stateNames); i++ {
		s.AddInt(stateNames[i], n[i])
	}
	return nil
}
