package shm

import (
	"bytes"
	"fmt"
)

// Tag says who owns a block: a module and a kind ("tm", "cell"). Tags are registered in main before children start and
// found again by name in children and in later generations. Tag 0 is "core", "other".
type Tag uint16

const tagName = 24 // bytes with the closing zero

// tagRow is a tag's names and its line of the ledger, which the allocator's lock guards.
type tagRow struct {
	module, kind [tagName]byte
	blocks       uint64
	bytes        uint64
}

func (r *tagRow) set(module, kind string) {
	clear(r.module[:])
	clear(r.kind[:])
	copy(r.module[:], module)
	copy(r.kind[:], kind)
}

func (r *tagRow) is(module, kind string) bool {
	return cstr(r.module[:]) == module && cstr(r.kind[:]) == kind
}

func cstr(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// TagFor registers (main) or finds the tag of module and kind. Both names are 1 to 23 bytes; at most 511 tags. It panics when that is not so:
// tags are fixed in the source.
func (a *Arena) TagFor(module, kind string) Tag {
	if module == "" || kind == "" || len(module) >= tagName || len(kind) >= tagName {
		panic(fmt.Sprintf("shm: tag %q %q: names have 1 to %d bytes", module, kind, tagName-1))
	}
	h := a.h
	a.Lock(&h.reg)
	defer a.Unlock(&h.reg)
	for i := range h.tags[:h.nTags] {
		if h.tags[i].is(module, kind) {
			return Tag(i)
		}
	}
	if h.nTags == maxTags {
		panic(fmt.Sprintf("shm: tag %q %q: there are %d already", module, kind, maxTags))
	}
	h.tags[h.nTags].set(module, kind)
	h.nTags++ // makes it a tag
	return Tag(h.nTags - 1)
}

func (a *Arena) tagName(t Tag) string {
	if uint32(t) >= a.h.nTags {
		return fmt.Sprintf("%d, which is none", t)
	}
	r := &a.h.tags[t]
	return cstr(r.module[:]) + "." + cstr(r.kind[:])
}
