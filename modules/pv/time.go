package pv

import (
	"fmt"
	"time"

	"kahea/cfglang/route"
	"kahea/modules/lib/strftime"
)

// received is when the message arrived; of a message that was made up, now.
func received(c *route.Ctx) int64 {
	if c.Recv.Time != 0 {
		return c.Recv.Time
	}
	return c.P.Host.Now()
}

func now(c *route.Ctx) int64 { return c.P.Host.Now() }

func timeVars() []route.Var {
	sec := func(at func(*route.Ctx) int64) route.Getter {
		return func(c *route.Ctx) route.Value { return route.Int(at(c) / int64(time.Second)) }
	}
	ctime := func(at func(*route.Ctx) int64) route.Getter {
		return made(func(c *route.Ctx, b []byte) []byte { return time.Unix(0, at(c)).AppendFormat(b, time.ANSIC) })
	}
	usec := func(at func(*route.Ctx) int64) route.Getter {
		return func(c *route.Ctx) route.Value { return route.Int(at(c) / 1000 % 1000000) }
	}
	return []route.Var{
		get("Ts", "time of the message, unix seconds", sec(received)),
		get("Tf", "time of the message as text", ctime(received)),
		get("TS", "time now, unix seconds", sec(now)),
		get("TF", "time now as text", ctime(now)),
		get("Tb", "start of the server, unix seconds", func(c *route.Ctx) route.Value { return route.Int(c.P.Started / int64(time.Second)) }),
		choice("TV", "time with microseconds", map[string]route.Getter{
			"s": sec(received), "u": usec(received), "sn": sec(now), "un": usec(now),
			"Sn": made(func(c *route.Ctx, b []byte) []byte {
				return fmt.Appendf(b, "%d.%06d", now(c)/int64(time.Second), now(c)/1000%1000000)
			}),
			"Fn": made(func(c *route.Ctx, b []byte) []byte {
				return time.Unix(0, now(c)).AppendFormat(b, "2006-01-02 15:04:05.000000")
			}),
			"Sm": func(*route.Ctx) route.Value { return route.Int(int64(time.Since(monotonic))) },
		}),
		choice("time", "a field of the local time of the message", fields(time.Local)),
		choice("utime", "a field of the UTC time of the message", fields(time.UTC)),
		{Name: "timef", Bind: bindTimef(time.Local), Doc: "local time of the message by a strftime format"},
		{Name: "utimef", Bind: bindTimef(time.UTC), Doc: "UTC time of the message by a strftime format"},
	}
}

// monotonic is the zero of $TV(Sm), which has no meaning of its own.
var monotonic = time.Now()

func fields(zone *time.Location) map[string]route.Getter {
	f := func(of func(t time.Time) int) route.Getter {
		return func(c *route.Ctx) route.Value { return route.Int(int64(of(time.Unix(0, received(c)).In(zone)))) }
	}
	return map[string]route.Getter{
		"sec": f(time.Time.Second), "min": f(time.Time.Minute), "hour": f(time.Time.Hour), "mday": f(time.Time.Day),
		"mon":   f(func(t time.Time) int { return int(t.Month()) }),
		"year":  f(time.Time.Year),
		"wday":  f(func(t time.Time) int { return int(t.Weekday()) + 1 }),
		"yday":  f(time.Time.YearDay),
		"isdst": f(func(t time.Time) int { return b2i(t.IsDST()) }),
	}
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func bindTimef(zone *time.Location) func(route.Env, *route.VarRef) (route.Getter, route.Setter, error) {
	return func(e route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
		if r.Inner == "" {
			return nil, nil, errWantName
		}
		format := []byte(r.Inner)
		return made(func(c *route.Ctx, b []byte) []byte {
			f := format
			if r.InnerPV != nil {
				f = r.InnerPV.Get(c).Text(c)
				b = c.Scratch.Tail(160)
			}
			return strftime.Append(b, f, time.Unix(0, received(c)).In(zone))
		}), nil, nil
	}
}
