package edit

// Hash2 is Kamailio's hash of two strings (hash.h: new_hash2 before masking); CoreHash is core_hash. Both are checked against the real thing.
func Hash2(a, b []byte) uint32 {
	h := mix(mix(0, a), b)
	return h + h>>11 + h>>13 + h>>23
}

// CoreHash is core_hash of Kamailio, used for the transaction table and for $(...{s.corehash}); size is a power of two, 0: not masked.
func CoreHash(a, b []byte, size uint32) uint32 {
	h := Hash2(a, b)
	if size != 0 {
		h &= size - 1
	}
	return h
}

// sx extends the sign of a byte: the hash is one over C's char, which has a sign on the machines that matter.
func sx(c byte) uint32 { return uint32(int32(int8(c))) }

// mix adds s in groups of four bytes, the rest as one number.
func mix(h uint32, s []byte) uint32 {
	for len(s) >= 4 {
		v := sx(s[0])<<24 + sx(s[1])<<16 + sx(s[2])<<8 + sx(s[3])
		h += v ^ v>>3
		s = s[4:]
	}
	if len(s) > 0 {
		v := uint32(0)
		for _, c := range s {
			v = v<<8 + sx(c)
		}
		h += v ^ v>>3
	}
	return h
}
