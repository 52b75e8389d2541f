package acc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"kahea/cfglang/route"
	"kahea/modules"
	"kahea/modules/lib/strftime"
)

// Values of time_mode.
const (
	timeNone = iota
	timeMicro
	timeMilli
	timeLocal
	timeUTC
)

// maxLegs is how many legs of a call are looked for.
const maxLegs = 32

// leg is one field of multi_leg_info: its name and the variable for each leg.
type leg struct {
	name string
	pv   [maxLegs]*route.PV
}

var (
	errField  = errors.New("is not name=$variable")
	errLeg    = errors.New("want name=$avp(name)")
	errFilter = errors.New("want codes from 300 to 999, separated by commas")
)

// pairs calls f with each name=value of a parameter.
func pairs(text string, f func(name, value string) error) error {
	for part := range strings.SplitSeq(text, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		if !ok || name == "" {
			return fmt.Errorf("%q %w", part, errField)
		}
		if err := f(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// setupFields compiles log_extra, multi_leg_info and failed_filter.
func (m *mod) setupFields(h *modules.Host) error {
	if err := pairs(m.extraText, func(name, value string) error {
		pv, err := h.Env.ParsePV(value)
		m.extra = append(m.extra, extra{name, pv})
		return err
	}); err != nil {
		return fmt.Errorf("log_extra: %w", err)
	}
	if err := pairs(m.legText, func(name, value string) error {
		avp, ok := strings.CutPrefix(value, "$avp(")
		if !ok || !strings.HasSuffix(avp, ")") {
			return errLeg
		}
		l := leg{name: name}
		for i := range l.pv {
			var err error
			if l.pv[i], err = h.Env.ParsePV(fmt.Sprintf("$(avp(%s)[%d])", avp[:len(avp)-1], i)); err != nil {
				return err
			}
		}
		m.legs = append(m.legs, l)
		return nil
	}); err != nil {
		return fmt.Errorf("multi_leg_info: %w", err)
	}
	if m.filterText == "" {
		return nil
	}
	for s := range strings.SplitSeq(m.filterText, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 300 || n > 999 {
			return fmt.Errorf("failed_filter %q: %w", m.filterText, errFilter)
		}
		m.filter = append(m.filter, n)
	}
	return nil
}

// appendLegs appends the fields of each leg, until one has no value.
func (m *mod) appendLegs(c *route.Ctx, b []byte) []byte {
	for i := range maxLegs {
		start, some := len(b), false
		for j := range m.legs {
			l := &m.legs[j]
			v := l.pv[i].Get(c)
			some = some || !v.IsNull()
			b = append(append(append(append(b, ';'), l.name...), '='), v.Text(c)...)
		}
		if !some {
			return b[:start]
		}
	}
	return b
}

// appendTime appends the field of time_mode; now is in unix ns.
func (m *mod) appendTime(b []byte, now int64) []byte {
	switch m.timeMode {
	case timeNone:
		return b
	case timeMicro:
		b = append(append(append(b, ';'), m.timeExten...), '=')
		return strconv.AppendInt(b, now/1e3%1e6, 10)
	}
	b = append(append(append(b, ';'), m.timeAttr...), '=')
	switch t := time.Unix(0, now); m.timeMode {
	case timeMilli:
		return strconv.AppendFloat(b, float64(now/1e6)/1e3, 'f', 3, 64)
	case timeUTC:
		return strftime.Append(b, []byte(m.timeFormat), t.UTC())
	default:
		return strftime.Append(b, []byte(m.timeFormat), t)
	}
}
