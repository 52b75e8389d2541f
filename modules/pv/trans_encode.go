package pv

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/big"
	"strconv"
	"strings"

	"kahea/cfglang/route"

	legacy "golang.org/x/crypto/sha3"
)

func encodeTrans() map[string]binder {
	return map[string]binder{
		"md5":    hashed(func(d, b []byte) []byte { s := md5.Sum(b); return hex.AppendEncode(d, s[:]) }),
		"sha1":   hashed(func(d, b []byte) []byte { s := sha1.Sum(b); return hex.AppendEncode(d, s[:]) }),
		"sha256": hashed(func(d, b []byte) []byte { s := sha256.Sum256(b); return hex.AppendEncode(d, s[:]) }),
		"sha384": hashed(func(d, b []byte) []byte { s := sha512.Sum384(b); return hex.AppendEncode(d, s[:]) }),
		"sha512": hashed(func(d, b []byte) []byte { s := sha512.Sum512(b); return hex.AppendEncode(d, s[:]) }),
		"sha3":   bindSHA3,
		"keccak": hashed(func(d, b []byte) []byte {
			h := legacy.NewLegacyKeccak256()
			h.Write(b)
			return hex.AppendEncode(d, h.Sum(nil))
		}),
		"crc32": onText(func(c *route.Ctx, b []byte) route.Value {
			return route.Str(c.Scratch.Int(int64(crc32.ChecksumIEEE(b))))
		}),
		"corehash": bindCoreHash,

		"encode.hexa": onText(func(c *route.Ctx, b []byte) route.Value {
			return route.Str(hex.AppendEncode(c.Scratch.Alloc(2 * len(b))[:0], b))
		}),
		"decode.hexa": onText(func(c *route.Ctx, b []byte) route.Value {
			b = b[:len(b)&^1] // half an octet at the end is dropped
			return decoded(hex.AppendDecode(c.Scratch.Alloc(len(b) / 2)[:0], b))
		}),
		"encode.7bit":   onText(func(c *route.Ctx, b []byte) route.Value { return route.Str(pack7(c, b)) }),
		"decode.7bit":   onText(unpack7),
		"encode.base58": onText(func(c *route.Ctx, b []byte) route.Value { return route.Str(c.Scratch.Copy(base58(b))) }),
		"decode.base58": onText(unbase58),
		"encode.base64": toBase64(base64.StdEncoding), "decode.base64": fromBase64(base64.StdEncoding, false),
		"encode.base64t": toBase64(base64.RawStdEncoding), "decode.base64t": fromBase64(base64.RawStdEncoding, true),
		"encode.base64url": toBase64(base64.URLEncoding), "decode.base64url": fromBase64(base64.RawURLEncoding, true),
		"encode.base64urlt": toBase64(base64.RawURLEncoding), "decode.base64urlt": fromBase64(base64.RawURLEncoding, true),

		"escape.common":   onText(escapeCommon),
		"unescape.common": onText(unescapeCommon),
		"escape.user":     percent(userChars, true), "unescape.user": onText(unpercent),
		"escape.param": percent(paramChars, true), "unescape.param": onText(unpercent),
		"escape.crlf":     onText(escapeCRLF),
		"unescape.crlf":   onText(unescapeCRLF),
		"escape.csv":      onText(escapeCSV),
		"urlencode.param": percent(unreserved, false),
		"urldecode.param": onText(urldecode),
	}
}

// hashed makes a binder of a function that appends the hash of b in hex to d.
func hashed(sum func(d, b []byte) []byte) binder {
	return onText(func(c *route.Ctx, b []byte) route.Value {
		return route.Str(c.Scratch.Keep(sum(c.Scratch.Tail(2*sha512.Size), b)))
	})
}

func bindSHA3(a *route.TransArgs) (step, error) {
	size := "256"
	if len(a.Params) > 0 {
		size = strings.TrimSpace(a.Params[0].Text)
	}
	plain := &route.TransArgs{}
	switch size {
	case "256":
		return hashed(func(d, b []byte) []byte { s := sha3.Sum256(b); return hex.AppendEncode(d, s[:]) })(plain)
	case "384":
		return hashed(func(d, b []byte) []byte { s := sha3.Sum384(b); return hex.AppendEncode(d, s[:]) })(plain)
	case "512":
		return hashed(func(d, b []byte) []byte { s := sha3.Sum512(b); return hex.AppendEncode(d, s[:]) })(plain)
	}
	return nil, fmt.Errorf("got size %q, want 256, 384 or 512", size)
}

func decoded(b []byte, err error) route.Value {
	if err != nil {
		return failed
	}
	return route.Str(b)
}

// coreHash is the hash of strings that Kamailio uses throughout (core hash, hash 1).
func coreHash(b []byte) uint32 {
	var h uint32
	at := func(i int) uint32 { return uint32(int32(int8(b[i]))) } // characters are signed there
	for len(b) >= 4 {
		v := at(0)<<24 + at(1)<<16 + at(2)<<8 + at(3)
		h += v ^ v>>3
		b = b[4:]
	}
	v := uint32(0)
	for i := range b {
		v = v<<8 + at(i)
	}
	h += v ^ v>>3
	return h + h>>11 + (h>>13 + h>>23)
}

func bindCoreHash(a *route.TransArgs) (step, error) {
	size := intParam{}
	if len(a.Params) > 0 {
		var err error
		if size, err = number(&a.Params[0]); err != nil {
			return nil, err
		}
	}
	return func(c *route.Ctx, v route.Value) route.Value {
		if v.IsNull() {
			return failed
		}
		n, ok := size.eval(c)
		if !ok {
			return failed
		}
		h := coreHash(v.Text(c))
		if n > 0 {
			h &= uint32(n - 1)
		}
		return route.Str(c.Scratch.Int(int64(h)))
	}, nil
}

// pack7 packs the lower seven bits of each character and prints octets in upper-case hex.
func pack7(c *route.Ctx, b []byte) []byte {
	d := c.Scratch.Tail(2 * (len(b)*7/8 + 1))
	acc, bits := uint(0), 0
	out := func() {
		d = append(d, "0123456789ABCDEF"[acc>>4&15], "0123456789ABCDEF"[acc&15])
		acc >>= 8
		bits -= 8
	}
	for _, ch := range b {
		acc |= uint(ch&0x7f) << bits
		if bits += 7; bits >= 8 {
			out()
		}
	}
	if bits > 0 {
		out()
	}
	return c.Scratch.Keep(d)
}

func unpack7(c *route.Ctx, b []byte) route.Value {
	octets, err := hex.AppendDecode(c.Scratch.Alloc(len(b) / 2)[:0], b)
	if err != nil {
		return failed
	}
	d := c.Scratch.Tail(len(octets) * 8 / 7)
	acc, bits := uint(0), 0
	for _, o := range octets {
		acc |= uint(o) << bits
		for bits += 8; bits >= 7; bits -= 7 {
			d = append(d, byte(acc&0x7f))
			acc >>= 7
		}
	}
	if n := len(d); n > 0 && n%8 == 0 && d[n-1] == 0 {
		d = d[:n-1] // filling bits
	}
	return route.Str(c.Scratch.Keep(d))
}

const base58Chars = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// goBase58 are the digits of package math/big in base 58.
const goBase58 = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"

// base58 writes a number with big's digits, whose way to print is not quadratic, and changes these.
func base58(b []byte) []byte {
	zeros := 0
	for zeros < len(b) && b[zeros] == 0 {
		zeros++
	}
	out := make([]byte, zeros, zeros+2*len(b))
	if zeros < len(b) {
		out = new(big.Int).SetBytes(b[zeros:]).Append(out, 58)
	}
	for i := range out {
		if i < zeros {
			out[i] = base58Chars[0]
		} else {
			out[i] = base58Chars[strings.IndexByte(goBase58, out[i])]
		}
	}
	return out
}

func unbase58(c *route.Ctx, b []byte) route.Value {
	digits := make([]byte, len(b))
	for i, ch := range b {
		k := strings.IndexByte(base58Chars, ch)
		if k < 0 {
			return failed
		}
		digits[i] = goBase58[k]
	}
	zeros := 0
	for zeros < len(b) && b[zeros] == base58Chars[0] {
		zeros++
	}
	n := new(big.Int)
	if zeros < len(b) {
		n.SetString(string(digits[zeros:]), 58) // all are digits
	}
	return route.Str(c.Scratch.Concat(make([]byte, zeros), n.Bytes()))
}

func toBase64(e *base64.Encoding) binder {
	return onText(func(c *route.Ctx, b []byte) route.Value {
		return route.Str(e.AppendEncode(c.Scratch.Alloc(e.EncodedLen(len(b)))[:0], b))
	})
}

// fromBase64 decodes; with loose the filling '=' may be there or not, and the URL alphabets fail for an empty text.
func fromBase64(e *base64.Encoding, loose bool) binder {
	return onText(func(c *route.Ctx, b []byte) route.Value {
		if loose {
			if b = bytes.TrimRight(b, "="); len(b) == 0 && e == base64.RawURLEncoding {
				return failed
			}
		}
		return decoded(e.AppendDecode(c.Scratch.Alloc(e.DecodedLen(len(b)))[:0], b))
	})
}

func escapeCommon(c *route.Ctx, b []byte) route.Value {
	d := c.Scratch.Tail(2 * len(b))
	for _, ch := range b {
		switch ch {
		case '\'', '"', '\\':
			d = append(d, '\\', ch)
		case 0:
			d = append(d, '\\', '0')
		default:
			d = append(d, ch)
		}
	}
	return route.Str(c.Scratch.Keep(d))
}

func unescapeCommon(c *route.Ctx, b []byte) route.Value {
	d := c.Scratch.Tail(len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) {
			switch b[i+1] {
			case '\'', '"', '\\':
				i++
				d = append(d, b[i])
				continue
			case '0':
				i++
				d = append(d, 0)
				continue
			}
		}
		d = append(d, b[i])
	}
	return route.Str(c.Scratch.Keep(d))
}

func escapeCRLF(c *route.Ctx, b []byte) route.Value {
	d := c.Scratch.Tail(2 * len(b))
	for _, ch := range b {
		switch ch {
		case '\r':
			d = append(d, '\\', 'r')
		case '\n':
			d = append(d, '\\', 'n')
		default:
			d = append(d, ch)
		}
	}
	return route.Str(c.Scratch.Keep(d))
}

func unescapeCRLF(c *route.Ctx, b []byte) route.Value {
	d := c.Scratch.Tail(len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) && (b[i+1] == 'r' || b[i+1] == 'n') {
			i++
			if b[i] == 'r' {
				d = append(d, '\r')
			} else {
				d = append(d, '\n')
			}
			continue
		}
		d = append(d, b[i])
	}
	return route.Str(c.Scratch.Keep(d))
}

func escapeCSV(c *route.Ctx, b []byte) route.Value {
	d := c.Scratch.Tail(2*len(b) + 2)
	d = append(d, '"')
	for _, ch := range b {
		if ch == '"' {
			d = append(d, '"')
		}
		d = append(d, ch)
	}
	return route.Str(c.Scratch.Keep(append(d, '"')))
}

// Characters that stand as they are (RFC 3261 25.1: user, paramchar; RFC 3986: unreserved).
const (
	unreserved = "-._~"
	mark       = "-_.!~*'()"
	userChars  = mark + "&=+$,;?" // and "/", which Kamailio escapes
	paramChars = mark + "[]/:&+$"
)

// percent escapes all but letters, digits and ok; strict fails for bytes that are no ASCII text, as Kamailio.
func percent(ok string, strict bool) binder {
	var plain [256]bool
	for ch := range plain {
		l := byte(ch) | 0x20
		plain[ch] = l >= 'a' && l <= 'z' || ch >= '0' && ch <= '9' || strings.IndexByte(ok, byte(ch)) >= 0
	}
	return onText(func(c *route.Ctx, b []byte) route.Value {
		d := c.Scratch.Tail(3 * len(b))
		for _, ch := range b {
			switch {
			case plain[ch]:
				d = append(d, ch)
			case strict && (ch < 32 || ch > 126):
				return failed
			default:
				d = append(d, '%', "0123456789abcdef"[ch>>4], "0123456789abcdef"[ch&15])
			}
		}
		return route.Str(c.Scratch.Keep(d))
	})
}

func unhex(b []byte) (byte, bool) {
	if len(b) < 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[:2]), 16, 8)
	return byte(n), err == nil
}

// unpercent fails when an escape is not two hex digits of a printable character.
func unpercent(c *route.Ctx, b []byte) route.Value {
	d := c.Scratch.Tail(len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '%' {
			d = append(d, b[i])
			continue
		}
		ch, ok := unhex(b[i+1:])
		if !ok || ch < 32 || ch > 126 {
			return failed
		}
		d = append(d, ch)
		i += 2
	}
	return route.Str(c.Scratch.Keep(d))
}

// urldecode also turns + into a space; a % without two hex digits behind it is dropped.
func urldecode(c *route.Ctx, b []byte) route.Value {
	d := c.Scratch.Tail(len(b))
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '+':
			d = append(d, ' ')
		case '%':
			if ch, ok := unhex(b[i+1:]); ok {
				d = append(d, ch)
				i += 2
			}
		default:
			d = append(d, b[i])
		}
	}
	return route.Str(c.Scratch.Keep(d))
}
