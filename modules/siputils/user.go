package siputils

import (
	"bytes"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
)

// verifier is what a module that verifies credentials (auth) tells.
type verifier interface {
	// Verified is the username of the credentials that were verified for the message; ok is false when none were.
	Verified(c *route.Ctx) (user []byte, ok bool)
}

// isUser is is_user: who it is was verified before.
func (m *mod) isUser(c *route.Ctx, a *route.Args) int {
	want, ok := a.Str(c, 0)
	if !ok {
		return -1
	}
	if m.auth != nil {
		if user, ok := m.auth.Verified(c); ok {
			if bytes.Equal(user, want) {
				return 1
			}
			return -1
		}
	}
	c.Logf(log.Err, "siputils", "is_user: no credentials have been verified before it")
	return -1
}
