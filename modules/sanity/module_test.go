package sanity_test

import (
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/sanity"
	_ "kahea/modules/sl"
	_ "kahea/modules/xlog"
)

const load = `
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "sanity.so"
loadmodule "xlog.so"
`

func TestAsKamailio(t *testing.T) { modtest.Golden(t, "testdata/kamailio.txt", load) }

// The torture messages of RFC 4475 under the stock checks: what Kamailio 5.6.3 answered. Messages that it does not parse are the core's.
func TestTorture(t *testing.T) { modtest.Golden(t, "testdata/rfc4475.txt", load) }
