package route

// VarKind separates the name spaces of $var/$vz and $vn.
type VarKind uint8

const (
	VarZero VarKind = iota // $var, $vz: initially, and after $null, the integer 0
	VarNull                // $vn: initially, and after $null, null
)

// Vars is the store of $var, $vz and $vn: it belongs to the process and keeps its values from message to message, as in Kamailio.
// Names become slots when the script is compiled.
type Vars struct {
	slots []variable
}

type variable struct {
	kind VarKind
	name string
	val  Value
	buf  []byte // what val.Str points to
}

// Slot is the number of a variable, made when first asked for.
func (v *Vars) Slot(kind VarKind, name string) int {
	for i := range v.slots {
		if v.slots[i].kind == kind && v.slots[i].name == name {
			return i
		}
	}
	x := variable{kind: kind, name: name}
	x.val = x.initial()
	v.slots = append(v.slots, x)
	return len(v.slots) - 1
}

func (x *variable) initial() Value {
	if x.kind == VarNull {
		return Null
	}
	return Int(0)
}

// Get is the value in a slot, borrowed until the next Set of that slot: callers that run other code first copy it.
func (v *Vars) Get(slot int) Value { return v.slots[slot].val }

// Set stores a value; a string is copied.
func (v *Vars) Set(c *Ctx, slot int, val Value) {
	x := &v.slots[slot]
	switch {
	case val.IsNull():
		x.val = x.initial()
	case val.IsInt():
		x.val = Int(val.Int)
	default:
		x.buf = append(x.buf[:0], val.Text(c)...)
		x.val = Str(x.buf)
	}
}

// save and restore keep a suspended script's own values.
func (v *Vars) save(c *Ctx) []Value {
	if len(v.slots) == 0 {
		return nil
	}
	s := make([]Value, len(v.slots)) // a suspended message is not on the hot path
	for i := range v.slots {
		s[i] = v.slots[i].val
		if s[i].Flags&FlagStr != 0 {
			s[i].Str = c.Scratch.Copy(s[i].Str)
		}
	}
	return s
}

func (v *Vars) restore(c *Ctx, s []Value) {
	for i := range s {
		v.Set(c, i, s[i])
	}
}
