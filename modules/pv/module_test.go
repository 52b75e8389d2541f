package pv_test

import (
	"testing"

	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/xlog"
)

const load = `
loadmodule "pv.so"
loadmodule "xlog.so"
`

func TestAsKamailio(t *testing.T) { modtest.Golden(t, "testdata/kamailio.txt", load) }
