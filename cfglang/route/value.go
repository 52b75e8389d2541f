package route

import "strconv"

// ValueFlag says what a Value holds.
type ValueFlag uint8

const (
	FlagNull  ValueFlag = 1 << iota // undefined ($null)
	FlagStr                         // Str is valid
	FlagInt                         // Int is valid
	FlagIsInt                       // the value's type is int (decides comparison, "+", typeof)
)

// Value is what a pseudo-variable, a transformation or an expression yields. Str is borrowed (see the package comment).
type Value struct {
	Str   []byte
	Int   int64
	Flags ValueFlag
}

// Null is the undefined value.
var Null = Value{Flags: FlagNull}

// Str makes a string value.
func Str(b []byte) Value { return Value{Str: b, Flags: FlagStr} }

// Int makes an integer value; its text is made when somebody asks for it.
func Int(n int64) Value { return Value{Int: n, Flags: FlagInt | FlagIsInt} }

// IntStr makes a value with both forms whose type is int, such as $rs.
func IntStr(n int64, b []byte) Value {
	return Value{Str: b, Int: n, Flags: FlagStr | FlagInt | FlagIsInt}
}

// StrInt makes a value with both forms whose type is string, such as $rm.
func StrInt(b []byte, n int64) Value { return Value{Str: b, Int: n, Flags: FlagStr | FlagInt} }

func (v Value) IsNull() bool { return v.Flags&FlagNull != 0 }
func (v Value) IsInt() bool  { return v.Flags&FlagIsInt != 0 }

// Text is the string form: "" for null. An integer is printed into the scratch memory of c.
func (v Value) Text(c *Ctx) []byte {
	if v.Flags&FlagStr != 0 {
		return v.Str
	}
	if v.Flags&FlagInt != 0 {
		return c.Scratch.Int(v.Int)
	}
	return nil
}

// Number is the integer form: optional sign and digits, or 0x and hex digits; "" and null are 0; ok is false
// when the text is no number.
func (v Value) Number() (n int64, ok bool) {
	if v.Flags&FlagInt != 0 {
		return v.Int, true
	}
	if v.Flags&FlagStr == 0 {
		return 0, true
	}
	return ParseInt(v.Str)
}

// ParseInt converts text as Number does.
func ParseInt(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, true
	}
	neg := false
	i := 0
	if b[0] == '-' || b[0] == '+' {
		neg = b[0] == '-'
		i++
	}
	if i == len(b) {
		return 0, false
	}
	if len(b) > i+2 && b[i] == '0' && (b[i+1] == 'x' || b[i+1] == 'X') {
		n, err := strconv.ParseUint(string(b[i+2:]), 16, 64)
		if err != nil {
			return 0, false
		}
		if neg {
			return -int64(n), true
		}
		return int64(n), true
	}
	var n int64
	for ; i < len(b); i++ {
		d := b[i] - '0'
		if d > 9 || n > (1<<63-1-int64(d))/10 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	if neg {
		n = -n
	}
	return n, true
}
