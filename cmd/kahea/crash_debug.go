//go:build kaheadebug

package main

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/modules"
)

// Module crash exists in the debug build only (go build -tags kaheadebug). Where it is loaded, a request or reply with the header X-Kahea-Crash ends the process that
// handles it in the way that the header says: what a defect of ours would do, for the tests of what is left of a server then. X-Kahea-Crash-Timer does so in the handler of
// the timer that sends the message again: "2 kill" when that is of kind 2, "0 kill" when no timer sends it. The environment's KAHEA_CRASH_PERIODIC is the way in which a periodic function ends its process.
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
	if way := os.Getenv("KAHEA_CRASH_PERIODIC"); way != "" {
		h.Every(time.Second/2, func() { crash(way) })
	}
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

// InitWorker puts a Host before the process's that looks at what timers send.
func (crasher) InitWorker(h *modules.Host, _ int) error {
	if w, ok := h.Proc.Host.(*wire); ok {
		h.Proc.Host = crashHost{w, h.Proc}
	}
	return nil
}

type crashHost struct {
	*wire
	p *route.Proc
}

func (c crashHost) Send(d route.Dest, b []byte) error {
	if _, line, ok := bytes.Cut(b, []byte("X-Kahea-Crash-Timer: ")); ok {
		line, _, _ = bytes.Cut(line, []byte("\r\n"))
		kind, way, _ := strings.Cut(string(line), " ")
		if _, k, ok := c.p.Wheel.Firing(c.p.Arena); ok && kind == strconv.Itoa(int(k)) || !ok && kind == "0" {
			crash(way)
		}
	}
	return c.wire.Send(d, b)
}

func crash(way string) {
	switch way {
	case "here": // recovered where it happens
		panic("X-Kahea-Crash: here")
	case "panic": // on a goroutine of its own: nothing that recovers on the loop reaches it
		go panic("X-Kahea-Crash: panic")
		select {}
	case "segv": // not nil: that one could be recovered
		b, err := syscall.Mmap(-1, 0, os.Getpagesize(), syscall.PROT_NONE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
		if err != nil {
			panic(err)
		}
		b[0]++
	case "bus": // memory behind the end of a file
		f, err := os.CreateTemp("", "kahea-crash-")
		if err != nil {
			panic(err)
		}
		if err := os.Remove(f.Name()); err != nil {
			panic(err)
		}
		b, err := syscall.Mmap(int(f.Fd()), 0, os.Getpagesize(), syscall.PROT_READ, syscall.MAP_SHARED)
		if err != nil {
			panic(err)
		}
		os.Exit(10 + int(b[0]))
	case "oom": // within a limit that the kernel enforces
		var kept [][]byte
		for range 1 << 10 {
			b := make([]byte, 1<<20)
			for i := 0; i < len(b); i += os.Getpagesize() {
				b[i] = 1
			}
			kept = append(kept, b)
		}
		runtime.KeepAlive(kept)
		os.Exit(4) // there is no limit
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
