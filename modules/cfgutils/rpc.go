package cfgutils

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"kahea/modules"
)

func (m *mod) commands() []modules.RPC {
	flags := func(name, doc string, f func(r *modules.Request, bits uint32)) modules.RPC {
		return modules.RPC{Name: "cfgutils." + name, Doc: doc, Run: func(r *modules.Request) error {
			n, err := r.Integer()
			if err != nil {
				return errParameters()
			}
			f(r, uint32(n))
			return nil
		}}
	}
	return []modules.RPC{
		{Name: "cfgutils.rand_set_prob", Doc: "set the probability of rand_event, in percent", Run: func(r *modules.Request) error {
			n, err := r.Integer()
			switch {
			case err != nil:
				return errParameters()
			case n < 0 || n > 100:
				return modules.NewFault(500, "Invalid Percent")
			}
			atomic.StoreUint32(&m.root.Prob, uint32(n))
			return nil
		}},
		{Name: "cfgutils.rand_reset_prob", Doc: "set the probability to initial_probability", Run: func(*modules.Request) error {
			atomic.StoreUint32(&m.root.Prob, uint32(m.initialProb))
			return nil
		}},
		{Name: "cfgutils.rand_get_prob", Doc: "the probability", Run: func(r *modules.Request) error {
			r.AddStr(fmt.Sprintf("actual probability: %d percent", atomic.LoadUint32(&m.root.Prob)))
			return nil
		}},
		{Name: "cfgutils.check_config_hash", Doc: "whether hash_file is as it was at the start", Run: m.checkHash},
		{Name: "cfgutils.get_config_hash", Doc: "MD5 of hash_file at the start", Run: func(r *modules.Request) error {
			if m.root.Hash[0] == 0 {
				return errNoFile()
			}
			r.AddStr(string(m.root.Hash[:]))
			return nil
		}},
		flags("set_gflag", "set the global flags of a bit mask", func(_ *modules.Request, bits uint32) { atomic.OrUint32(&m.root.Gflags, bits) }),
		flags("reset_gflag", "clear the global flags of a bit mask", func(_ *modules.Request, bits uint32) { atomic.AndUint32(&m.root.Gflags, ^bits) }),
		flags("is_gflag", "TRUE if all global flags of a bit mask are set, else FALSE", func(r *modules.Request, bits uint32) {
			if atomic.LoadUint32(&m.root.Gflags)&bits == bits {
				r.AddStr("TRUE")
			} else {
				r.AddStr("FALSE")
			}
		}),
		{Name: "cfgutils.get_gflags", Doc: "all global flags, hexadecimal and decimal", Run: func(r *modules.Request) error {
			n := atomic.LoadUint32(&m.root.Gflags)
			r.AddStr(fmt.Sprintf("0x%X (%d)", n, n))
			return nil
		}},
	}
}

func errParameters() error { return modules.NewFault(500, "Invalid Parameters") }

func errNoFile() error { return modules.NewFault(500, "No hash file") }

func (m *mod) checkHash(r *modules.Request) error {
	if m.root.Hash[0] == 0 {
		return errNoFile()
	}
	now, err := hash(m.hashFile)
	switch {
	case err != nil:
		return modules.NewFault(500, "Failed to hash the file")
	case now == m.root.Hash:
		r.AddStr("Identical hash")
	default:
		r.AddStr("Different hash")
	}
	return nil
}

// hash is the MD5 of a file, in hexadecimal digits.
func hash(file string) (sum [32]byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := md5.New()
	if _, err = io.Copy(h, f); err == nil {
		hex.Encode(sum[:], h.Sum(nil))
	}
	return sum, err
}
