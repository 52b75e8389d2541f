package cfgutils_test

import (
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "kahea/modules/cfgutils"
	"kahea/modules/lib/modtest"
	_ "kahea/modules/pv"
	_ "kahea/modules/xlog"
)

const load = `
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "cfgutils.so"
`

// The codes are Kamailio 5.6.3's.
func TestCodes(t *testing.T) {
	for _, tc := range []struct {
		name, params, script, want string
	}{
		{"probability", "", "rand_get_prob(); RC rand_set_prob(\"100\"); RC rand_event(); RC rand_get_prob(); RC rand_reset_prob(); RC rand_get_prob(); RC", "10 1 1 100 1 10"},
		{"never", "initial_probability 0", "rand_event(); RC", "-1"},
		{"always", "initial_probability 100", "rand_event(); RC", "1"},
		{"no chance ends the script", "initial_probability 0", "xlog(\"before\\n\"); rand_get_prob(); RC", "before"},
		{"flags", "initial_gflags 5", `is_gflag("0"); RC is_gflag("1"); RC set_gflag("1"); RC is_gflag("1"); RC reset_gflag("1"); RC is_gflag("1"); RC set_gflag("31"); RC is_gflag("31"); RC`,
			"1 -1 1 1 1 -1 1 1"},
		{"negative mask", "initial_gflags -1", `is_gflag("31"); RC is_gflag("0"); RC`, "1 1"},
		{"locks", "lock_set_size 10", `lock("a"); RC trylock("a"); RC trylock("A"); RC trylock("B"); RC unlock("a"); RC unlock("a"); RC trylock("a"); RC`, "1 -1 -1 1 1 1 1"},
		{"empty key", "lock_set_size 2", `lock(""); RC trylock(""); RC unlock(""); RC`, "1 -1 1"},
		{"no locks", "", `lock("a"); RC trylock("a"); RC unlock("a"); RC`, "-1 -1 -1"},
		{"too many locks are fewer", "lock_set_size 30", `lock("a"); RC trylock("a"); RC trylock("b"); RC`, "1 -1 1"},
		{"hash", "", `core_hash("abc", "", 4); RC core_hash("abc", "def", 8); RC core_hash("abc", "", 0); RC core_hash("abc", "", 1); RC core_hash("", "", 4); RC
			core_hash("abc", "", 16); RC core_hash("abc", "x", "32"); RC core_hash("abc", "", "-3"); RC core_hash("hello", "", "20"); RC`, "3 114 1 1 1 24387 1 1 629652"},
		{"routes", "", `$var(n) = "A"; check_route_exists("A"); RC check_route_exists("B"); RC check_route_exists("$var(n)"); RC route_if_exists("A"); RC route_if_exists("B"); RC`, "1 -1 1 5 -1"},
		{"route that ends the script", "", `route_if_exists("Z"); RC`, ""},
		{"exit in a route", "", `route_if_exists("X"); RC`, ""},
		{"no wait", "", `sleep("0"); RC usleep("10"); RC $var(n) = 1; usleep("$var(n)"); RC $var(n) = "x"; usleep("$var(n)"); RC`, "1 1 1 -1"},
		{"memory", "", `shm_status(); RC shm_summary(); RC`, "1 1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := load
			if name, val, ok := strings.Cut(tc.params, " "); ok {
				cfg += fmt.Sprintf("modparam(\"cfgutils\", %q, %s)\n", name, val)
			}
			s := modtest.Start(t, cfg+"request_route {\n"+strings.ReplaceAll(tc.script, "RC", `xlog("$rc\n");`)+"\n}\nroute[A] { return 5; }\nroute[Z] { return 0; }\nroute[X] { exit; }\n")
			s.Receive(modtest.Request("OPTIONS", "sip:b@example.com"))
			var got []string
			for _, l := range strings.Split(s.Log(), "<script>: ")[1:] {
				got = append(got, strings.SplitN(l, "\n", 2)[0])
			}
			if x := strings.Join(got, " "); x != tc.want {
				t.Errorf("codes %q, want %q", x, tc.want)
			}
		})
	}
}

// What Kamailio refuses at its start is refused here.
func TestRefused(t *testing.T) {
	for _, tc := range []struct{ name, params, script string }{
		{"probability over 100", "", `rand_set_prob("101");`},
		{"negative probability", "", `rand_set_prob("-1");`},
		{"probability in a variable", "", `rand_set_prob("$var(x)");`},
		{"flag over 31", "", `set_gflag("32");`},
		{"flag in a variable", "", `is_gflag("$var(x)");`},
		{"time that is no number", "", `usleep("x");`},
		{"two keys", "", `lock("a", "b");`},
		{"initial probability", "initial_probability 101", "exit;"},
		{"no such file", `hash_file "/nonexistent"`, "exit;"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := load
			if name, val, ok := strings.Cut(tc.params, " "); ok {
				cfg += fmt.Sprintf("modparam(\"cfgutils\", %q, %s)\n", name, val)
			}
			if _, err := modtest.Load(t, cfg+"request_route { "+tc.script+" }"); err == nil {
				t.Error("it was taken")
			}
		})
	}
}

// sleep belongs to this module, as in Kamailio.
func TestNotLoaded(t *testing.T) {
	if _, err := modtest.Load(t, "request_route { sleep(\"1\"); }"); err == nil {
		t.Error("sleep is there without its module")
	}
}

func TestRandom(t *testing.T) {
	s := modtest.Start(t, load+`request_route { if ($RANDOM >= 0 && $RANDOM <= 2147483647 && $RANDOM != $RANDOM) xlog("good"); }`)
	s.Receive(modtest.Request("OPTIONS", "sip:b@example.com"))
	if !strings.Contains(s.Log(), "good") {
		t.Error("no random numbers")
	}
}

func TestCommands(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("as it was")
	s := modtest.Start(t, load+fmt.Sprintf("modparam(\"cfgutils\", \"hash_file\", %q)\nmodparam(\"cfgutils\", \"initial_gflags\", 5)\nrequest_route { exit; }\n", file))
	want := func(want, name string, params ...any) {
		t.Helper()
		got, err := s.RPC("cfgutils."+name, params...)
		if err != nil {
			got = err.Error()
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("%s %v: %q, want %q", name, params, got, want)
		}
	}
	want("actual probability: 10 percent", "rand_get_prob")
	want("", "rand_set_prob", 50)
	want("500 Invalid Percent", "rand_set_prob", 101)
	want("500 Invalid Percent", "rand_set_prob", -1)
	want("500 Invalid Parameters", "rand_set_prob")
	want("actual probability: 50 percent", "rand_get_prob")
	want("", "rand_reset_prob")
	want("actual probability: 10 percent", "rand_get_prob")
	want("", "set_gflag", 1024)
	want("TRUE", "is_gflag", 1025)
	want("FALSE", "is_gflag", 3)
	want("TRUE", "is_gflag", 0)
	want("0x405 (1029)", "get_gflags")
	want("", "reset_gflag", 1024)
	want("", "set_gflag", 10)
	want("0xF (15)", "get_gflags")
	want("500 Invalid Parameters", "set_gflag")
	want("500 Invalid Parameters", "set_gflag", "abc")
	want(fmt.Sprintf("%x", md5.Sum([]byte("as it was"))), "get_config_hash")
	want("Identical hash", "check_config_hash")
	write("as it is")
	want("Different hash", "check_config_hash")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	want("500 Failed to hash the file", "check_config_hash")
}

func TestNoHashFile(t *testing.T) {
	s := modtest.Start(t, load+"request_route { exit; }")
	for _, name := range []string{"get_config_hash", "check_config_hash"} {
		if got, err := s.RPC("cfgutils." + name); err == nil || err.Error() != "500 No hash file" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestManyWaits: what a script keeps while it waits is given back each time.
func TestManyWaits(t *testing.T) {
	s := modtest.Start(t, "max_while_loops=0\n"+load+`request_route {
	$var(text) = "`+strings.Repeat("x", 1000)+`";
	$var(n) = 0;
	while ($var(n) < 10000) {
		usleep("0");
		$var(n) = $var(n) + 1;
	}
	xlog("waited $var(n) times, $(var(text){s.len})\n");
}`)
	s.Receive(modtest.Request("OPTIONS", "sip:b@example.com"))
	if l := s.Log(); !strings.Contains(l, "waited 10000 times, 1000\n") {
		t.Errorf("log %q", l)
	}
}
