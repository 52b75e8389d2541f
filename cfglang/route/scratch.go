package route

import "strconv"

// Memory gives and takes back the chunks that scratch memory is made of: the process's private arena (-M, -X).
type Memory interface {
	// Chunk returns n bytes, or nil when the private memory is exhausted.
	Chunk(n int) []byte
	// Release gives back a chunk that Chunk returned.
	Release(b []byte)
}

// firstSize is what a Ctx has of its own, on Go's heap. It holds what an ordinary INVITE needs, with a copy of the message, and most of what a suspended script
// takes: more here is less scripts in the same memory.
const firstSize = 1792

// smallChunk and chunkSize are the units of growth, out of private memory: the first four times, because a script that waits keeps what it has, and from then on. A Ctx
// keeps one.
const (
	smallChunk = 2048
	chunkSize  = 8192
)

// maxScratch bounds what one message may take, whatever the private memory holds.
const maxScratch = 4 << 20

// Scratch is a message's bump allocator: it is emptied as a whole when the message ends and keeps its first chunk and one of Mem's. The zero
// Scratch with Mem set is ready.
type Scratch struct {
	Mem   Memory
	first []byte
	spare []byte   // a chunk of Mem's, chunkSize at most, that is kept between messages
	chunk []byte   // the current one
	used  int      // of chunk
	full  [][]byte // earlier chunks, given back at Reset
	total int      // of Mem's chunks in use
}

// Alloc returns n bytes, contents undefined, valid until Reset; nil when the memory is exhausted.
func (s *Scratch) Alloc(n int) []byte {
	if n == 0 {
		return []byte{}
	}
	if n <= len(s.chunk)-s.used {
		b := s.chunk[s.used : s.used+n : s.used+n]
		s.used += n
		return b
	}
	return s.grow(n)
}

func (s *Scratch) grow(n int) []byte {
	if s.first == nil {
		s.first = make([]byte, firstSize)
		s.chunk, s.used = s.first, 0
		return s.Alloc(n)
	}
	size := max(chunkSize, n)
	if len(s.full) < chunkSize/smallChunk {
		size = max(smallChunk, n)
	}
	b := s.spare
	if len(b) >= n && b != nil {
		s.spare = nil
	} else if s.total+size > maxScratch {
		return nil
	} else if b = s.Mem.Chunk(size); b == nil {
		return nil
	}
	s.full = append(s.full, s.chunk)
	s.total += len(b)
	s.chunk, s.used = b, n
	return b[:n:n]
}

// mark is a place in scratch memory.
type mark struct{ full, used int }

func (s *Scratch) mark() mark { return mark{len(s.full), s.used} }

// rewind frees what was allocated from one mark to the other, if nothing was allocated since. Of more than one chunk only the last one's part is freed.
func (s *Scratch) rewind(from, end mark) {
	switch {
	case s.mark() != end:
	case from.full == end.full:
		s.used = from.used
	default:
		s.used = 0
	}
}

// Reset forgets everything that was allocated.
func (s *Scratch) Reset() {
	if len(s.full) > 0 { // the first of them is s.first
		for i, b := range s.full[1:] {
			s.release(b)
			s.full[i+1] = nil
		}
		s.release(s.chunk)
		s.full = s.full[:0]
	}
	s.chunk, s.used, s.total = s.first, 0, 0
}

// release keeps a chunk for the next message or gives it back.
func (s *Scratch) release(b []byte) {
	if len(b) <= chunkSize && len(b) > len(s.spare) {
		b, s.spare = s.spare, b
	}
	if b != nil {
		s.Mem.Release(b)
	}
}

// Copy returns a copy of b in scratch memory; nil when there is none left.
func (s *Scratch) Copy(b []byte) []byte {
	d := s.Alloc(len(b))
	if d == nil {
		return nil
	}
	copy(d, b)
	return d
}

// CopyString is Copy of a string.
func (s *Scratch) CopyString(t string) []byte {
	d := s.Alloc(len(t))
	if d == nil {
		return nil
	}
	copy(d, t)
	return d
}

// Concat returns the parts one behind the other in scratch memory.
func (s *Scratch) Concat(parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	d := s.Alloc(n)
	if d == nil {
		return nil
	}
	n = 0
	for _, p := range parts {
		n += copy(d[n:], p)
	}
	return d
}

// Int prints n in decimal.
func (s *Scratch) Int(n int64) []byte {
	b := s.Alloc(20)
	if b == nil {
		return nil
	}
	return strconv.AppendInt(b[:0], n, 10)
}

// Tail returns an empty slice that may grow to the rest of the current chunk (at least n bytes) without being allocated; what was
// appended to it is kept by Keep.
func (s *Scratch) Tail(n int) []byte {
	if len(s.chunk)-s.used < n {
		if s.grow(n) == nil {
			return nil
		}
		s.used -= n
	}
	return s.chunk[s.used:s.used:len(s.chunk)]
}

// Keep takes b, which began as Tail and was appended to, out of the free space. A b that outgrew the chunk lies elsewhere and
// is returned as it is.
func (s *Scratch) Keep(b []byte) []byte {
	if len(b) > 0 && s.used+len(b) <= len(s.chunk) && &b[0] == &s.chunk[s.used] {
		s.used += len(b)
	}
	return b[:len(b):len(b)]
}

// Close gives everything back.
func (s *Scratch) Close() {
	s.Reset()
	if s.spare != nil {
		s.Mem.Release(s.spare)
	}
	s.first, s.spare, s.chunk = nil, nil, nil
}
