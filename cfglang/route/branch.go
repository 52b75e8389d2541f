package route

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"kahea/sipparse"
)

// QUnset is a branch without q value; q is in thousandths (0..1000) otherwise.
const QUnset = -1

// BranchAttrs are what every branch has beside its URIs, the R-URI branch included.
type BranchAttrs struct {
	ForceSock  *Socket
	Flags      uint32 // branch flags ($bf)
	RUID       []byte
	LocationUA []byte
	Instance   []byte
	OTCPID     uint32 // connection id to use
	RegID      uint32
}

// Branch is an additional branch of the destination set (append_branch, lookup). Its slices lie in scratch memory.
type Branch struct {
	URI    []byte
	DstURI []byte
	Path   []byte
	Q      int
	BranchAttrs
}

// AddBranch appends a branch; the slices are copied, an empty one counts as none. It fails
// when max_branches is reached (the main branch counts) or memory is out.
func (c *Ctx) AddBranch(b Branch) bool {
	if len(c.Branches)+1 >= c.P.Par.MaxBranches {
		c.Error("max_branches (%d) reached", c.P.Par.MaxBranches)
		return false
	}
	s := &c.Scratch
	for _, p := range []*[]byte{&b.URI, &b.DstURI, &b.Path, &b.RUID, &b.LocationUA, &b.Instance} {
		if len(*p) == 0 {
			*p = nil // no destination, no path: as if it had not been given
			continue
		}
		if *p = s.Copy(*p); *p == nil {
			return false
		}
	}
	c.Branches = append(c.Branches, b)
	return true
}

// What AddContacts tells of branches beside URI and q.
const (
	ContactFlags = 1 << iota // branch flags, as a parameter
	ContactPath              // Path, as a Route header of the URI
)

// AddContacts adds the destination set to the reply's headers as a Contact line (3xx replies): the R-URI, if the script has changed it, and all branches. rich is a sum
// of ContactFlags and ContactPath.
func (c *Ctx) AddContacts(rich int) {
	b := c.Scratch.Tail(256)
	if b == nil {
		return
	}
	b = append(b, "Contact: "...)
	n := 0
	add := func(uri []byte, q int, flags uint32, path []byte) {
		if n++; n > 1 {
			b = append(b, ", "...)
		}
		b = append(append(b, '<'), uri...)
		if rich&ContactPath != 0 && len(path) > 0 {
			b = appendEscaped(append(b, "?Route="...), path)
		}
		b = append(b, '>')
		b = appendContactQ(b, q)
		if rich&ContactFlags != 0 {
			b = strconv.AppendUint(append(b, ";flags="...), uint64(flags), 10)
		}
	}
	if c.NewURI != nil {
		add(c.NewURI, c.Q, c.Main.Flags, c.Path)
	}
	for i := range c.Branches {
		x := &c.Branches[i]
		add(x.URI, x.Q, x.Flags, x.Path)
	}
	if n > 0 {
		c.Edits.AddReplyHeader(append(b, "\r\n"...))
	}
}

// appendEscaped appends a header of a URI: what may not stand there is escaped (RFC 3261 section 19.1.1).
func appendEscaped(b, text []byte) []byte {
	const digits = "0123456789abcdef"
	for _, ch := range text {
		switch {
		case ch >= 'a' && ch <= 'z', ch >= 'A' && ch <= 'Z', isDigit(ch), bytes.IndexByte([]byte("-_.!~*'()[]/?:+$"), ch) >= 0:
			b = append(b, ch)
		default:
			b = append(b, '%', digits[ch>>4], digits[ch&15])
		}
	}
	return b
}

// appendContactQ appends the parameter q, nothing when there is none.
func appendContactQ(b []byte, q int) []byte {
	if q == QUnset {
		return b
	}
	b = append(b, ";q="...)
	if q >= 1000 {
		return append(b, '1')
	}
	b = append(b, '0', '.', byte('0'+q/100), byte('0'+q/10%10), byte('0'+q%10))
	for b[len(b)-1] == '0' && b[len(b)-2] != '.' {
		b = b[:len(b)-1]
	}
	return b
}

// RecordRoute is a pending record_route(): texts lie in scratch memory.
type RecordRoute struct {
	On     bool
	User   []byte // user part, nil: none
	Params []byte // further parameters with their ';'
	Preset []byte // whole lines instead (record_route_preset)
	Adv    []byte // record_route_advertised_address
}

// AppendState and LoadState carry the routing state of a request (flags, URIs, branch attributes, Record-Route, edits) to shared memory and back:
// tm keeps it so that failure and branch routes run on what the request route left.
func (c *Ctx) AppendState(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, c.Flags)
	dst = binary.LittleEndian.AppendUint64(dst, c.XFlags)
	dst = binary.LittleEndian.AppendUint32(dst, c.ID)
	bits := byte(0)
	if c.ForceRPort {
		bits |= 1
	}
	if c.AddLocalRPort {
		bits |= 2
	}
	if c.NewURI != nil {
		bits |= 4
	}
	if c.DstURI != nil {
		bits |= 8
	}
	if c.RR.On {
		bits |= 16
	}
	bits |= byte(c.MTUProto) << 5
	dst = append(dst, bits, byte(c.FwdFlags), byte(c.RplFlags))
	dst = binary.LittleEndian.AppendUint16(dst, c.AdvPort)
	dst = appendBytes(dst, c.AdvHost)
	dst = appendBytes(dst, c.NewURI)
	dst = appendBytes(dst, c.DstURI)
	dst = appendBytes(dst, c.Path)
	dst = appendAttrs(dst, &c.Main)
	for _, p := range [...][]byte{c.RR.User, c.RR.Params, c.RR.Preset, c.RR.Adv} {
		dst = appendBytes(dst, p)
	}
	return c.Edits.AppendBinary(dst)
}

// SetStateXFlags puts other extended flags into what AppendState wrote.
func SetStateXFlags(b []byte, x uint64) { binary.LittleEndian.PutUint64(b[4:], x) }

// LoadState restores what AppendState wrote; texts are copied into scratch memory.
func (c *Ctx) LoadState(b []byte) error {
	d := decoder{b: b}
	c.Flags, c.XFlags, c.ID = d.u32(), d.u64(), d.u32()
	bits := d.u8()
	c.ForceRPort, c.AddLocalRPort, c.MTUProto = bits&1 != 0, bits&2 != 0, sipparse.Proto(bits>>5)
	c.FwdFlags, c.RplFlags = SendFlags(d.u8()), SendFlags(d.u8())
	c.AdvPort = d.u16()
	c.AdvHost = c.copyOrNil(d.bytes(), false)
	c.NewURI = c.copyOrNil(d.bytes(), bits&4 != 0)
	c.DstURI = c.copyOrNil(d.bytes(), bits&8 != 0)
	c.Path = c.copyOrNil(d.bytes(), false)
	c.loadAttrs(&d, &c.Main)
	c.RR = RecordRoute{On: bits&16 != 0}
	for _, p := range [...]*[]byte{&c.RR.User, &c.RR.Params, &c.RR.Preset, &c.RR.Adv} {
		*p = c.copyOrNil(d.bytes(), false)
	}
	if d.bad {
		return ErrCorrupt
	}
	c.uriState = 0
	return c.Edits.Load(d.b)
}

func (c *Ctx) copyOrNil(b []byte, keepEmpty bool) []byte {
	if len(b) == 0 && !keepEmpty {
		return nil
	}
	return c.Scratch.Copy(b)
}

func appendBytes(dst, b []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b)))
	return append(dst, b...)
}

func appendAttrs(dst []byte, a *BranchAttrs) []byte {
	sock := int32(-1)
	if a.ForceSock != nil {
		sock = int32(a.ForceSock.Index)
	}
	dst = binary.LittleEndian.AppendUint32(dst, uint32(sock))
	dst = binary.LittleEndian.AppendUint32(dst, a.Flags)
	dst = binary.LittleEndian.AppendUint32(dst, a.OTCPID)
	dst = binary.LittleEndian.AppendUint32(dst, a.RegID)
	dst = appendBytes(dst, a.RUID)
	dst = appendBytes(dst, a.LocationUA)
	return appendBytes(dst, a.Instance)
}

func (c *Ctx) loadAttrs(d *decoder, a *BranchAttrs) {
	a.ForceSock = c.P.Net.At(int(int32(d.u32())))
	a.Flags, a.OTCPID, a.RegID = d.u32(), d.u32(), d.u32()
	a.RUID = c.copyOrNil(d.bytes(), false)
	a.LocationUA = c.copyOrNil(d.bytes(), false)
	a.Instance = c.copyOrNil(d.bytes(), false)
}
