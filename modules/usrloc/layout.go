//go:build !kahealayout

package usrloc

// layoutProbe takes no room. In a build with the tag kahealayout it does: a binary that can not adopt this one's contacts, and imports them (carry.go).
type layoutProbe [0]byte
