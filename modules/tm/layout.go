//go:build !kahealayout

package tm

// layoutProbe takes no room. In a build with the tag kahealayout it does: a binary that must refuse to adopt this one's transactions.
type layoutProbe [0]byte
