package corex

import (
	"errors"
	"fmt"
	"io"
	"os"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
)

// maxFile is the longest file that file_read takes, in bytes.
const maxFile = 1 << 20

var errTooLong = errors.New("longer than 1 MB")

// aside runs f on another goroutine while the script waits, or at once where nothing can wait; false: the script must end.
func aside(c *route.Ctx, f func()) bool {
	if c.Await(f) {
		return true
	}
	if c.Refused() {
		return false
	}
	f()
	return true
}

// readFile is file_read(path, variable).
func readFile(c *route.Ctx, a *route.Args) int {
	name, ok := a.Str(c, 0)
	if !ok || len(name) == 0 {
		return -1
	}
	path := string(name)
	var b []byte
	var err error
	if !aside(c, func() { b, err = slurp(path) }) {
		return -1
	}
	if err == nil {
		err = a.PV(1).Set(c, route.Str(b))
	}
	if err != nil {
		c.Logf(log.Err, "corex", "file_read: %v", err)
		return -1
	}
	return 1
}

func slurp(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(b) > maxFile {
		err = errTooLong
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return b, nil
}

// writeFile is file_write(path, text): the file is made, or emptied first.
func writeFile(c *route.Ctx, a *route.Args) int {
	name, ok1 := a.Str(c, 0)
	text, ok2 := a.Str(c, 1)
	if !ok1 || !ok2 || len(name) == 0 {
		return -1
	}
	path, data := string(name), string(text)
	var err error
	if !aside(c, func() { err = os.WriteFile(path, []byte(data), 0o666) }) {
		return -1
	}
	if err != nil {
		c.Logf(log.Err, "corex", "file_write: %v", err)
		return -1
	}
	return 1
}
