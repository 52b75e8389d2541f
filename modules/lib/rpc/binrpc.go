package rpc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"kahea/modules"
)

// Types of a binrpc record.
const (
	typeInt    = 0
	typeStr    = 1
	typeDouble = 2
	typeStruct = 3
	typeArray  = 4
	typeAVP    = 5
	typeBytes  = 6
)

// PacketType is the type in a binrpc header.
type PacketType uint8

const (
	RequestPacket PacketType = 0
	ReplyPacket   PacketType = 1
	FaultPacket   PacketType = 3
)

// MaxPacket is the longest body of a request in bytes.
const MaxPacket = 65535

// Errors of a packet.
var (
	ErrShort   = errors.New("more data needed")
	ErrMagic   = errors.New("no binrpc packet")
	ErrVersion = errors.New("unknown binrpc version")
	ErrTooLong = errors.New("packet too long")
	ErrRecord  = errors.New("bad record")
	ErrMethod  = errors.New("no method name")
)

// Header of a binrpc packet.
type Header struct {
	Type   PacketType
	Cookie uint32
	Len    int // of the body
	Size   int // of the header itself
}

// ParseHeader reads a header; ErrShort when b does not hold all of it yet.
func ParseHeader(b []byte) (h Header, err error) {
	if len(b) == 0 {
		return h, ErrShort
	}
	if b[0]>>4 != 0xa {
		return h, ErrMagic
	}
	if b[0]&15 != 1 {
		return h, ErrVersion
	}
	if len(b) < 2 {
		return h, ErrShort
	}
	h.Type = PacketType(b[1] >> 4)
	nl, nc := int(b[1]>>2&3)+1, int(b[1]&3)+1
	h.Size = 2 + nl + nc
	if len(b) < h.Size {
		return h, ErrShort
	}
	h.Len = int(number(b[2 : 2+nl]))
	h.Cookie = number(b[2+nl : h.Size])
	if h.Len > MaxPacket {
		return h, ErrTooLong
	}
	return h, nil
}

func number(b []byte) (n uint32) {
	for _, c := range b {
		n = n<<8 | uint32(c)
	}
	return n
}

// maxDepth bounds nested structs and arrays.
const maxDepth = 32

// ParseBody reads the records of a packet.
func ParseBody(b []byte) ([]*modules.Node, error) {
	l, rest, err := records(b, -1, 0)
	if err == nil && len(rest) > 0 {
		err = ErrRecord
	}
	if err != nil {
		return nil, err
	}
	return l.Members, nil
}

// records reads until the end of b (end -1) or the end mark of a struct or array.
func records(b []byte, end int, depth int) (*modules.Node, []byte, error) {
	n := &modules.Node{Kind: modules.KindArray}
	if end == typeStruct {
		n.Kind = modules.KindStruct
	}
	if depth > maxDepth {
		return nil, nil, fmt.Errorf("nested deeper than %d: %w", maxDepth, ErrRecord)
	}
	for {
		if len(b) == 0 {
			if end < 0 {
				return n, nil, nil
			}
			return nil, nil, fmt.Errorf("struct or array without end: %w", ErrRecord)
		}
		if b[0]&0x80 != 0 && b[0]>>4&7 == 0 {
			if int(b[0]&15) != end {
				return nil, nil, fmt.Errorf("end of what did not begin: %w", ErrRecord)
			}
			return n, b[1:], nil
		}
		if end == typeStruct {
			typ, val, rest, err := record(b)
			if err != nil {
				return nil, nil, err
			}
			if typ != typeAVP {
				return nil, nil, fmt.Errorf("struct member without a name: %w", ErrRecord)
			}
			n.Names = append(n.Names, text(val))
			if b = rest; len(b) == 0 || b[0]&0x80 != 0 && b[0]>>4&7 == 0 {
				return nil, nil, fmt.Errorf("struct member without a value: %w", ErrRecord)
			}
		}
		m, rest, err := value(b, depth)
		if err != nil {
			return nil, nil, err
		}
		n.Members = append(n.Members, m)
		b = rest
	}
}

func value(b []byte, depth int) (*modules.Node, []byte, error) {
	typ, val, rest, err := record(b)
	if err != nil {
		return nil, nil, err
	}
	switch typ {
	case typeInt:
		if len(val) > 4 {
			return nil, nil, fmt.Errorf("integer of %d bytes: %w", len(val), ErrRecord)
		}
		return &modules.Node{Kind: modules.KindInt, Int: int64(int32(number(val)))}, rest, nil
	case typeDouble:
		if len(val) > 4 {
			return nil, nil, fmt.Errorf("number of %d bytes: %w", len(val), ErrRecord)
		}
		return &modules.Node{Kind: modules.KindDouble, Double: float64(int32(number(val))) / 1000}, rest, nil
	case typeStr:
		return &modules.Node{Kind: modules.KindStr, Str: text(val)}, rest, nil
	case typeBytes:
		return &modules.Node{Kind: modules.KindStr, Str: string(val)}, rest, nil
	case typeStruct, typeArray:
		if len(val) > 0 {
			return nil, nil, fmt.Errorf("struct or array with a length: %w", ErrRecord)
		}
		return records(rest, typ, depth+1)
	}
	return nil, nil, fmt.Errorf("record of type %d: %w", typ, ErrRecord)
}

// record splits one record off b.
func record(b []byte) (typ int, val, rest []byte, err error) {
	typ = int(b[0] & 15)
	n := int(b[0] >> 4 & 7)
	long := b[0]&0x80 != 0
	b = b[1:]
	if long {
		if n > 4 || n > len(b) {
			return 0, nil, nil, fmt.Errorf("length of %d bytes: %w", n, ErrRecord)
		}
		l := number(b[:n])
		b = b[n:]
		if l > math.MaxInt32 {
			return 0, nil, nil, fmt.Errorf("length %d: %w", l, ErrRecord)
		}
		n = int(l)
	}
	if n > len(b) {
		return 0, nil, nil, fmt.Errorf("record of %d bytes, %d are there: %w", n, len(b), ErrRecord)
	}
	return typ, b[:n], b[n:], nil
}

// TakeString splits the first record off a body when it is a string; ok is false when it is of another type.
func TakeString(b []byte) (s string, rest []byte, ok bool, err error) {
	if len(b) == 0 {
		return "", nil, false, ErrMethod
	}
	typ, val, rest, err := record(b)
	if err != nil {
		return "", nil, false, err
	}
	return text(val), rest, typ == typeStr, nil
}

// text drops the NUL at the end.
func text(b []byte) string {
	if n := len(b); n > 0 && b[n-1] == 0 {
		b = b[:n-1]
	}
	return string(b)
}

// AppendPacket appends a packet of type t.
func AppendPacket(dst []byte, t PacketType, cookie uint32, body []byte) []byte {
	nl, nc := size(uint32(len(body))), size(cookie)
	dst = append(dst, 0xa1, byte(t)<<4|byte(max(nl, 1)-1)<<2|byte(max(nc, 1)-1))
	dst = appendNumber(dst, uint32(len(body)), max(nl, 1))
	return appendNumber(dst, cookie, max(nc, 1))
}

// size is how many bytes n takes, 0 for 0.
func size(n uint32) int {
	c := 0
	for ; n != 0; n >>= 8 {
		c++
	}
	return c
}

func appendNumber(dst []byte, n uint32, bytes int) []byte {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return append(dst, b[4-bytes:]...)
}

// AppendRequest appends a whole request.
func AppendRequest(dst []byte, cookie uint32, method string, params []*modules.Node) []byte {
	body := AppendNode(nil, &modules.Node{Kind: modules.KindStr, Str: method})
	for _, p := range params {
		body = AppendNode(body, p)
	}
	return append(AppendPacket(dst, RequestPacket, cookie, body), body...)
}

// maxFault is the longest text of a fault in bytes.
const maxFault = 255

// AppendFault appends a whole fault.
func AppendFault(dst []byte, cookie uint32, code int, msg string) []byte {
	if len(msg) > maxFault {
		msg = msg[:maxFault]
	}
	body := AppendNode(nil, &modules.Node{Kind: modules.KindInt, Int: int64(code)})
	body = AppendNode(body, &modules.Node{Kind: modules.KindStr, Str: msg})
	return append(AppendPacket(dst, FaultPacket, cookie, body), body...)
}

// AppendReply appends a whole reply; ok is false when its body would be longer than limit bytes.
func AppendReply(dst []byte, cookie uint32, out []*modules.Node, limit int) (b []byte, ok bool) {
	var body []byte
	for _, n := range out {
		body = AppendNode(body, n)
	}
	if len(body) > limit {
		return dst, false
	}
	return append(AppendPacket(dst, ReplyPacket, cookie, body), body...), true
}

// AppendNode appends a value as records. An array of structs travels as a struct with the structs' members (names repeat), as Kamailio does; an integer
// of more than 32 bits travels as a double.
func AppendNode(dst []byte, n *modules.Node) []byte {
	switch n.Kind {
	case modules.KindInt:
		if n.Int != int64(int32(n.Int)) {
			return appendDouble(dst, float64(n.Int))
		}
		return appendRecord32(dst, typeInt, uint32(int32(n.Int)))
	case modules.KindDouble:
		return appendDouble(dst, n.Double)
	case modules.KindStr:
		return appendText(dst, typeStr, n.Str)
	case modules.KindStruct:
		dst = append(dst, typeStruct)
		dst = appendMembers(dst, n)
		return append(dst, 0x80|typeStruct)
	}
	flat := true
	for _, m := range n.Members {
		if m.Kind != modules.KindStruct {
			flat = false
		}
	}
	if flat {
		dst = append(dst, typeStruct)
		for _, m := range n.Members {
			dst = appendMembers(dst, m)
		}
		return append(dst, 0x80|typeStruct)
	}
	dst = append(dst, typeArray)
	for _, m := range n.Members {
		dst = AppendNode(dst, m)
	}
	return append(dst, 0x80|typeArray)
}

func appendMembers(dst []byte, n *modules.Node) []byte {
	for i, m := range n.Members {
		dst = appendText(dst, typeAVP, n.Names[i])
		dst = AppendNode(dst, m)
	}
	return dst
}

func appendRecord32(dst []byte, typ int, n uint32) []byte {
	c := size(n)
	dst = append(dst, byte(c<<4|typ))
	return appendNumber(dst, n, c)
}

// appendDouble writes thousandths in as many bytes as they take: up to 7 fit into a record without a length of its own.
func appendDouble(dst []byte, f float64) []byte {
	m := f * 1000
	if math.IsNaN(m) {
		m = 0
	}
	v := int64(math.Round(max(-(1 << 55), min(m, 1<<55-1))))
	if v == int64(int32(v)) {
		return appendRecord32(dst, typeDouble, uint32(int32(v)))
	}
	// Kamailio's fixed point has 32 bits: what does not fit wraps there. A number as text keeps its value.
	return appendText(dst, typeStr, fmt.Sprintf("%.0f", f))
}

func appendText(dst []byte, typ int, s string) []byte {
	n := len(s) + 1
	if n < 8 {
		dst = append(dst, byte(n<<4|typ))
	} else {
		c := size(uint32(n))
		dst = append(dst, 0x80|byte(c<<4|typ))
		dst = appendNumber(dst, uint32(n), c)
	}
	dst = append(dst, s...)
	return append(dst, 0)
}
