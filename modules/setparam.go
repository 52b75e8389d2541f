package modules

import (
	"fmt"
	"os/user"
	"strconv"
)

// SetParam sets parameter name of a module's table to v, as modparam does. Errors name the parameter: there is none of that name, v has the wrong type or is
// out of range, or the parameter's Func refuses it.
func SetParam(table []Param, name string, v Value) error {
	for i := range table {
		t := &table[i]
		if t.Name != name {
			continue
		}
		switch {
		case t.Int != nil:
			if !v.IsInt {
				return fmt.Errorf("parameter %s wants a number, got %q", name, v.Str)
			}
			if (t.Min != 0 || t.Max != 0) && (v.Int < t.Min || v.Int > t.Max) {
				return fmt.Errorf("parameter %s: got %d, want %d to %d", name, v.Int, t.Min, t.Max)
			}
			*t.Int = v.Int
		case t.Str != nil:
			if v.IsInt {
				return fmt.Errorf("parameter %s wants a string, got %d", name, v.Int)
			}
			*t.Str = v.Str
		default:
			if t.Type == StrParam && v.IsInt || t.Type == IntParam && !v.IsInt {
				return fmt.Errorf("parameter %s: wrong type of value", name)
			}
			if err := t.Func(v); err != nil {
				return fmt.Errorf("parameter %s: %w", name, err)
			}
		}
		return nil
	}
	return fmt.Errorf("there is no parameter %q", name)
}

// UserID is the user that a parameter names, by number or by name; -1 with an error that says why there is none.
func (v Value) UserID() (int, error) {
	if v.IsInt {
		return v.Int, nil
	}
	u, err := user.Lookup(v.Str)
	if err != nil {
		return -1, err
	}
	return strconv.Atoi(u.Uid)
}

// GroupID is UserID for a group.
func (v Value) GroupID() (int, error) {
	if v.IsInt {
		return v.Int, nil
	}
	g, err := user.LookupGroup(v.Str)
	if err != nil {
		return -1, err
	}
	return strconv.Atoi(g.Gid)
}
