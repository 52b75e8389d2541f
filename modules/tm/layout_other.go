//go:build kahealayout

package tm

type layoutProbe [16]byte
