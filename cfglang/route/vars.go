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

// Find is the number of a variable that the script mentions; ok is false if there is none.
func (v *Vars) Find(kind VarKind, name []byte) (slot int, ok bool) {
	for i := range v.slots {
		if v.slots[i].kind == kind && v.slots[i].name == string(name) {
			return i, true
		}
	}
	return 0, false
}

// Len is the number of all variables: slots are 0 to Len-1.
func (v *Vars) Len() int { return len(v.slots) }

// Name says what a slot is called.
func (v *Vars) Name(slot int) (VarKind, string) { return v.slots[slot].kind, v.slots[slot].name }

func (x *variable) initial() Value {
	if x.kind == VarNull {
		return Null
	}
	return Int(0)
}

// Get is the value in a slot, borrowed until the next Set of that slot: callers that run other code first copy it.
func (v *Vars) Get(slot int) Value { return v.slots[slot].val }

// GetInt is the value in a slot if it is an integer.
func (v *Vars) GetInt(slot int) (n int64, ok bool) {
	x := &v.slots[slot].val
	return x.Int, x.Flags&FlagIsInt != 0
}

// SetInt stores an integer.
func (v *Vars) SetInt(slot int, n int64) {
	x := &v.slots[slot].val
	if x.Flags != FlagInt|FlagIsInt {
		*x = Int(n)
	}
	x.Int = n
}

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

// saved is a variable that a suspended script finds again.
type saved struct {
	slot int
	val  Value
}

// kept are all of them, with the part of scratch memory that their texts take while the script waits.
type kept struct {
	vars      []saved
	from, end mark
}

// save takes a suspended script's own values: those that are not the initial ones. false: there is no memory for them.
func (v *Vars) save(c *Ctx) (*kept, bool) {
	n := 0
	for i := range v.slots {
		if !v.slots[i].isInitial() {
			n++
		}
	}
	if n == 0 {
		return nil, true
	}
	k := &kept{vars: make([]saved, 0, n), from: c.Scratch.mark()} // a suspended message is not on the hot path
	for i := range v.slots {
		x := &v.slots[i]
		if x.isInitial() {
			continue
		}
		val := x.val
		if val.Flags&FlagStr != 0 {
			if val.Str = c.Scratch.Copy(val.Str); val.Str == nil {
				return nil, false
			}
		}
		k.vars = append(k.vars, saved{i, val})
	}
	k.end = c.Scratch.mark()
	return k, true
}

// restore puts back what save has taken, and gives the scratch memory back: a script may wait any number of times.
func (v *Vars) restore(c *Ctx, k *kept) {
	var l []saved
	if k != nil {
		l = k.vars
		defer c.Scratch.rewind(k.from, k.end)
	}
	for i := range v.slots {
		if len(l) > 0 && l[0].slot == i {
			v.Set(c, i, l[0].val)
			l = l[1:]
			continue
		}
		v.slots[i].val = v.slots[i].initial()
	}
}

func (x *variable) isInitial() bool {
	return x.val.Flags&FlagStr == 0 && (x.kind == VarNull && x.val.IsNull() || x.kind == VarZero && x.val.IsInt() && x.val.Int == 0)
}
