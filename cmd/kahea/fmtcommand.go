package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"kahea/cfglang/syntax"
)

const fmtUsage = `usage: kahea fmt [-w | -l] FILE...

Prints configuration files in the usual form: a tab for each open brace, one blank around operators in routes; comments, strings and preprocessor lines stay. Only blanks and
empty lines change. Included files are files of their own. - is standard input.

  -w   write the files instead
  -l   only list the files whose form is another; the exit code is 1 when there are some
`

// runFmt is kahea fmt; it returns the exit code.
func runFmt(args []string, in io.Reader, out, errOut io.Writer) int {
	var write, list bool
	var files []string
	for _, a := range args {
		switch {
		case a == "-h" || a == "--help":
			fmt.Fprint(out, fmtUsage)
			return 0
		case a == "-w":
			write = true
		case a == "-l":
			list = true
		case a != "-" && strings.HasPrefix(a, "-"):
			fmt.Fprintf(errOut, "ERROR: kahea: fmt: unknown option %s\n%s", a, fmtUsage)
			return exitError
		default:
			files = append(files, a)
		}
	}
	if len(files) == 0 || write && list {
		fmt.Fprint(errOut, fmtUsage)
		return exitError
	}
	code := 0
	for _, name := range files {
		differs, err := formatFile(name, write, list, in, out)
		if err != nil {
			fmt.Fprintf(errOut, "ERROR: kahea: fmt: %s: %v\n", name, err)
			code = exitError
		} else if list && differs && code == 0 {
			code = 1
		}
	}
	return code
}

func formatFile(name string, write, list bool, in io.Reader, out io.Writer) (differs bool, err error) {
	var text []byte
	if name == "-" {
		text, err = io.ReadAll(in)
	} else {
		text, err = os.ReadFile(name)
	}
	if err != nil {
		return false, err
	}
	got, err := syntax.Format(text)
	if err != nil {
		return false, err
	}
	differs = !bytes.Equal(text, got)
	switch {
	case list && differs:
		_, err = fmt.Fprintln(out, name)
	case write && differs && name != "-":
		err = replaceFile(name, got)
	case !list && (!write || name == "-"):
		_, err = out.Write(got)
	}
	return differs, err
}

// replaceFile writes the new text beside the file and then takes its place, so that a full disk does not cost the old one. Of a symbolic link the target is replaced.
func replaceFile(name string, text []byte) error {
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	fi, err := os.Stat(name)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // it is gone when all went well
	if _, err = f.Write(text); err == nil {
		err = f.Chmod(fi.Mode().Perm())
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func stdFmt(args []string) int { return runFmt(args, os.Stdin, os.Stdout, os.Stderr) }
