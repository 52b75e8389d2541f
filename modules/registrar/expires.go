package registrar

import (
	"math/rand/v2"

	"kahea/cfglang/route"
)

// expires is how long a contact is kept of what it asks for, in seconds; given: the message says how long, and it is not the default. brief: min_expires_mode refuses it.
func (m *mod) expires(c *route.Ctx, s int64, given bool, flags int) (_ int64, brief bool) {
	if n, ok := m.cfgInt(c, cfgExpires); ok {
		s, given = n, true
	}
	if s == 0 {
		return 0, false
	}
	percent := m.defaultRange
	if given {
		percent = m.expiresRange
	}
	if percent > 0 && flags&saveNoRange == 0 {
		s -= int64(rand.Float64() * float64(s) * float64(percent) / 100)
	}
	if s < int64(m.minExpires) {
		brief = m.minExpiresMode != 0
		s = int64(m.minExpires)
	}
	if m.maxExpires > 0 {
		s = min(s, int64(m.maxExpires))
	}
	return s, brief
}
