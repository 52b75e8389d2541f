package sipparse

// Span is a range of a buffer, 32-bit, never truncated silently (a message is at most 2^31 bytes).
type Span struct{ Off, Len uint32 }

// In is the text of s in buf; its capacity ends with it, so that an append to it cannot write into the message.
func (s Span) In(buf []byte) []byte { return buf[s.Off : s.Off+s.Len : s.Off+s.Len] }

// End is the offset behind the last byte.
func (s Span) End() uint32 { return s.Off + s.Len }

// Empty says whether the span has no bytes.
func (s Span) Empty() bool { return s.Len == 0 }

// span makes a Span of two offsets.
func span(from, to int) Span { return Span{uint32(from), uint32(to - from)} }

// trimmed makes a Span of two offsets without the white space at both ends.
func trimmed(buf []byte, from, to int) Span {
	for from < to && class[buf[from]]&isLWS != 0 {
		from++
	}
	for to > from && class[buf[to-1]]&isLWS != 0 {
		to--
	}
	return span(from, to)
}
