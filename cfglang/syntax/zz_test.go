package syntax

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"kahea/cfglang/diag"
)

func TestZZ(t *testing.T) {
	const M = "loadmodule \"pv.so\"\nloadmodule \"xlog.so\"\nloadmodule \"sl.so\"\nloadmodule \"tm.so\"\n"
	for _, f := range []string{"c1", "c2", "c3"} {
		data, err := os.ReadFile("/tmp/syn/" + f + ".txt")
		if err != nil {
			continue
		}
		out, _ := os.ReadFile("/tmp/syn/" + f + ".out")
		verd := strings.Split(string(out), "\n")
		for i, c := range strings.Split(string(data), "\n---\n") {
			c = strings.Trim(c, "\n")
			kind, b, _ := strings.Cut(c, "\n")
			var txt string
			switch kind {
			case "RAW":
				txt = b
			case "TOP":
				txt = M + b + "\nrequest_route { exit; }\n"
			default:
				txt = M + "request_route {\n" + c + "\n}\nroute[X] { ; }\n"
			}
			var d diag.List
			ParseText("k.cfg", []byte(txt), Options{ModuleDefines: true, Env: os.LookupEnv}, &d)
			ok := strings.HasPrefix(verd[i], "OK")
			if ok == d.HasErrors() {
				fmt.Println("DIFF", verd[i])
				d.Write(os.Stdout, false)
			}
		}
	}
}

func TestZZCorpus(t *testing.T) {
	idx, _ := os.ReadFile("/work/shared/corpus/cfg/INDEX.tsv")
	n, bad := 0, 0
	for _, ln := range strings.Split(string(idx), "\n")[1:] {
		f := strings.Split(ln, "\t")
		if len(f) < 11 {
			continue
		}
		var d diag.List
		Parse("/work/shared/corpus/cfg/"+f[0]+"/"+f[1], Options{ModuleDefines: true, Env: os.LookupEnv}, &d)
		n++
		if d.HasErrors() != (f[10] != "0") {
			bad++
			fmt.Println("==", f[0], f[7], "|", f[8], "|", f[9], "|", f[10])
			var sb strings.Builder
			d.Write(&sb, false)
			s := sb.String()
			if len(s) > 600 {
				s = s[:600]
			}
			fmt.Println(s)
		}
	}
	fmt.Println(n, bad)
}
