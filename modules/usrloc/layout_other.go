//go:build kahealayout

package usrloc

type layoutProbe [16]byte
