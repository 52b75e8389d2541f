package shm

import (
	"errors"
	"fmt"
)

var (
	ErrNoMemory = errors.New("no memory left in the arena")
	ErrReserve  = fmt.Errorf("only the reserve is left: %w", ErrNoMemory)
	ErrSize     = errors.New("size out of range")
	ErrLayout   = errors.New("layout differs from what is stored")
	ErrPointer  = errors.New("type holds a pointer")
	ErrName     = errors.New("name is empty or too long")
	ErrTooMany  = errors.New("registry is full")
	ErrSealed   = errors.New("counters are sealed")
	ErrFull     = errors.New("ring is full")
	ErrTooLong  = errors.New("record is longer than half the ring")
	ErrNotThere = errors.New("no such object at this offset")
	ErrBusy     = errors.New("another reload is running, or the last but one is still being read")
	ErrArena    = errors.New("not an arena of this binary")
)
