package sipparse

import "bytes"

// FirstLine is the request or status line.
type FirstLine struct {
	IsReply    bool
	IsSIP      bool   // the version begins with SIP/2.0; other requests (HTTP ...) are for the non-SIP hooks
	Method     Method // requests
	MethodText Span   // requests
	URI        Span
	Version    Span
	Status     uint16 // replies
	StatusText Span
	Reason     Span
	Off        uint32 // first byte of the line: what stands before is skipped
	End        uint32 // behind the line end: the first header field begins here
}

// minMessage is what Kamailio takes for the shortest possible message, less one.
const minMessage = 16

// parse reads the first line of buf at off. httpReply is http_reply_parse.
func (l *FirstLine) parse(buf []byte, off int, httpReply bool) Err {
	*l = FirstLine{Off: uint32(off)}
	if len(buf)-off <= minMessage {
		return ErrTooShort
	}
	nl := bytes.IndexByte(buf[off:], '\n')
	if nl < 0 {
		return ErrFirstLine
	}
	nl += off
	l.End = uint32(nl + 1)
	if nl+2 < len(buf) && buf[nl+1] == '\r' && buf[nl+2] != '\n' {
		l.End++ // Kamailio passes over a stray CR behind the first line
	}
	end := nl
	if buf[end-1] == '\r' {
		end--
	}
	b := buf[off:]
	ver := 0
	switch {
	case isSIP20(b):
		ver = 7
		l.IsSIP = true
	case httpReply && len(b) > 8 && equalFold(b[:7], "HTTP/1.") && (b[7] == '0' || b[7] == '1'):
		ver = 8
	}
	if ver > 0 && b[ver] == ' ' {
		return l.parseStatus(buf, off, ver, end)
	}
	l.IsSIP = false
	i := notLWS(buf, off, end)
	if i == off || i == end || buf[i] != ' ' {
		return ErrFirstLine
	}
	l.MethodText = span(off, i)
	i++
	e := notLWS(buf, i, end)
	if e == end {
		return ErrFirstLine
	}
	l.URI = span(i, e)
	i = skipBlank(buf, e, end)
	e = notLWS(buf, i, end)
	if e == i || skipClass(buf, e, end, isLWS) != end {
		return ErrFirstLine
	}
	l.Version = span(i, e)
	l.Method = LookupMethod(l.MethodText.In(buf))
	l.IsSIP = isSIP20(buf[i:e])
	return OK
}

func (l *FirstLine) parseStatus(buf []byte, off, ver, end int) Err {
	i := off + ver + 1
	if end-i < 4 {
		return ErrFirstLine
	}
	n, ok := number(buf[i:i+3], 999)
	if !ok || class[buf[i+3]]&isBlank == 0 {
		return ErrFirstLine
	}
	l.IsReply = true
	l.Version = span(off, off+ver)
	l.Status = uint16(n)
	l.StatusText = span(i, i+3)
	l.Reason = span(i+4, end)
	return OK
}

// notLWS skips to the next white space.
func notLWS(buf []byte, i, end int) int {
	for i < end && class[buf[i]]&isLWS == 0 {
		i++
	}
	return i
}

// isSIP20 says whether b begins with SIP/2.0 in any case.
func isSIP20(b []byte) bool {
	return len(b) >= 7 && b[0]|0x20 == 's' && b[1]|0x20 == 'i' && b[2]|0x20 == 'p' && b[3] == '/' && b[4] == '2' && b[5] == '.' && b[6] == '0'
}
