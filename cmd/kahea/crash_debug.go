//go:build kaheadebug

package main

import (
	"os"
	"runtime/debug"
	"syscall"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
)

// Module crash exists in the debug build only (go build -tags kaheadebug). Where it is loaded, a request or reply with the header X-Kahea-Crash ends the process that
// handles it in the way that the header says: what a defect of ours would do, for the tests of what is left of a server then.
func init() { modules.Register("crash", func() modules.Module { return crasher{} }) }

type crasher struct{}

func (crasher) Exports() modules.Exports {
	return modules.Exports{Funcs: []route.Func{{Name: "crash", Args: "S", From: route.AnyRoute, Doc: "end the process in this way, here", Run: func(c *route.Ctx, a *route.Args) int {
		way, _ := a.Str(c, 0)
		crash(string(way))
		return 1
	}}}}
}

func (crasher) Setup(h *modules.Host) error {
	look := func(c *route.Ctx) bool {
		if x := c.Msg.Find([]byte("X-Kahea-Crash")); x != nil {
			way := string(c.Msg.Bytes(x.Body))
			h.Log.Printf(log.Alert, "crash: ", "X-Kahea-Crash: %s", way)
			crash(way)
		}
		return true
	}
	h.OnRequest, h.OnReply = append(h.OnRequest, look), append(h.OnReply, look)
	return nil
}

func crash(way string) {
	switch way {
	case "panic": // on a goroutine of its own: nothing that recovers on the loop reaches it
		go panic("X-Kahea-Crash: panic")
		select {}
	case "segv": // not nil: that one could be recovered
		b, err := syscall.Mmap(-1, 0, os.Getpagesize(), syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
		if err != nil {
			panic(err)
		}
		b[0]++
	case "stack":
		debug.SetMaxStack(1 << 20) // as deep as it takes, but not a gigabyte
		deep(1)
	case "exit":
		os.Exit(3)
	case "kill":
		if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
			panic(err)
		}
		select {}
	case "loop":
		for {
		}
	}
}

// deep recurses until the stack is full.
func deep(n int) int {
	if n == 0 {
		return 0
	}
	return deep(n+1) + n
}
