package sipparse

import "math"

// CSeq header.
type CSeq struct {
	NumText    Span
	Num        uint32
	NumBad     bool // no decimal number of 32 bits; Kamailio's core takes it all the same, its module sanity does not
	MethodText Span
	Method     Method
}

// ParseCSeq parses the body of a CSeq field. Only blanks, no fold, may stand between number and method, as in Kamailio.
func ParseCSeq(buf []byte, at Span, c *CSeq) Err {
	i, end := int(at.Off), int(at.End())
	j := i
	for j < end && class[buf[j]]&isLWS == 0 {
		j++
	}
	if j == i {
		return ErrCSeq
	}
	c.NumText = span(i, j)
	n, ok := number(buf[i:j], math.MaxUint32)
	c.Num, c.NumBad = uint32(n), !ok
	i = skipBlank(buf, j, end)
	if i == j {
		return ErrCSeq
	}
	j = i
	for j < end && class[buf[j]]&isLWS == 0 {
		j++
	}
	if i == j {
		return ErrCSeq
	}
	c.MethodText = span(i, j)
	c.Method = LookupMethod(buf[i:j])
	if skipLWS(buf, j, end) != end {
		return ErrCSeq
	}
	return OK
}
