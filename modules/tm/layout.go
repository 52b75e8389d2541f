//go:build !kahealayout

package tm

// layoutProbe takes no room. In a build with the tag kahealayout it does: a binary that can not adopt this one's transactions, and imports them (carry.go).
type layoutProbe [0]byte
