package presubmit

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestNoWorkplace: the repository names no package registry's host and no path of a machine it was written on.
func TestNoWorkplace(t *testing.T) {
	out, err := exec.Command("git", "-C", root, "ls-files").Output()
	if err != nil {
		t.Skip("git does not list the files: this is no checkout")
	}
	for _, p := range bytes.Fields(out) {
		b, err := os.ReadFile(filepath.Join(root, string(p)))
		if err != nil {
			continue // removed, not yet committed
		}
		for _, w := range [][]byte{[]byte("proxy.gol" + "ang.org"), []byte("registry.np" + "mjs"), []byte("/wo" + "rk/")} {
			if bytes.Contains(b, w) {
				t.Errorf("%s: %q does not belong into the repository", p, w)
			}
		}
	}
}
