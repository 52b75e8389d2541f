package shm

import (
	"fmt"
	"reflect"
)

// checkType says whether a T may lie in an arena. The answer is kept, so that only the first New or Root of a type reflects.
func checkType[T any](a *Arena) error {
	if v, ok := a.types.Load((*T)(nil)); ok {
		err, _ := v.(error)
		return err
	}
	t := reflect.TypeFor[T]()
	err := noPointers(t, t.String())
	if err != nil {
		a.types.Store((*T)(nil), err)
	} else {
		a.types.Store((*T)(nil), true)
	}
	return err
}

func noPointers(t reflect.Type, path string) error {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return nil
	case reflect.Array:
		return noPointers(t.Elem(), path+"[]")
	case reflect.Struct:
		for i := range t.NumField() {
			if err := noPointers(t.Field(i).Type, path+"."+t.Field(i).Name); err != nil {
				return err
			}
		}
		return nil
	}
	// Uintptr is among these: an address means nothing in another process.
	return fmt.Errorf("shm: %s is a %s: %w", path, t, ErrPointer)
}

// fingerprint is a hash (FNV-1a) of the layouts of ts: kinds, sizes, lengths of arrays, and names and offsets of fields, not the types' names.
func fingerprint(ts ...reflect.Type) uint64 {
	h := uint64(0xcbf29ce484222325)
	for _, t := range ts {
		h = layout(h, t)
	}
	return h
}

func layout(h uint64, t reflect.Type) uint64 {
	h = mix(mix(h, uint64(t.Kind())), uint64(t.Size()))
	switch t.Kind() {
	case reflect.Array:
		h = layout(mix(h, uint64(t.Len())), t.Elem())
	case reflect.Struct:
		h = mix(h, uint64(t.NumField()))
		for i := range t.NumField() {
			f := t.Field(i)
			for _, c := range []byte(f.Name) {
				h = (h ^ uint64(c)) * 0x100000001b3
			}
			h = layout(mix(h, uint64(f.Offset)), f.Type)
		}
	}
	return h
}

func mix(h, v uint64) uint64 {
	for range 8 {
		h = (h ^ v&0xff) * 0x100000001b3
		v >>= 8
	}
	return h
}
