package main

import (
	"strings"
	"testing"
)

// TestReserveOfServer: shm_reserve is the server's, with any modules, from the start on; cfg.set and a reload change it.
func TestReserveOfServer(t *testing.T) {
	if *oracle != "" {
		t.Skip("shm_reserve is kahea's")
	}
	t.Parallel()
	addr := freeAddr(t)
	config := strings.ReplaceAll(`
shm_reserve=10
listen=udp:@SERVER@
children=1
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
loadmodule "kex.so"
loadmodule "sl.so"
request_route {
	sl_send_reply("200", "OK");
}
`, "@SERVER@", addr)
	s := startServer(t, addr, config)
	total := int64(0)
	want := func(percent int64) {
		t.Helper()
		var got int64
		if !eventually(patience, func() bool {
			m, err := s.call("kahea.mem")
			if err != nil {
				t.Fatal(err)
			}
			got, total = m["reserve"], m["total"]
			return got == total/100*percent
		}) {
			t.Errorf("the reserve is %d of %d bytes, want %d %%", got, total, percent)
		}
	}
	want(10)
	if _, err := s.call("cfg.set_now_int", "core", "shm_reserve", 51); err == nil {
		t.Error("51 percent was taken, want at most 50")
	}
	if _, err := s.call("cfg.set_now_int", "core", "shm_reserve", 20); err != nil {
		t.Fatal(err)
	}
	want(20)
	s.reload(strings.Replace(config, "shm_reserve=10", "shm_reserve=0", 1), true)
	want(0)
	s.stop()
}
