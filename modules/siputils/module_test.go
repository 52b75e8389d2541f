package siputils_test

import (
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/siputils"
	_ "kahea/modules/sl"
	_ "kahea/modules/textopsx"
	_ "kahea/modules/xlog"
)

const load = `
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
`

func TestAsKamailio(t *testing.T) { modtest.Golden(t, "testdata/kamailio.txt", load) }
