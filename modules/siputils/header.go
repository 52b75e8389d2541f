package siputils

import (
	"bytes"
	"time"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

func isSupported(c *route.Ctx, a *route.Args) bool {
	want := a.At(0).Text
	for h := c.Msg.First(sipparse.HdrSupported); h != nil; h = c.Msg.NextOf(h) {
		for t := range bytes.SplitSeq(c.Msg.Bytes(h.Body), comma) {
			if bytes.EqualFold(bytes.TrimSpace(t), want) {
				return true
			}
		}
	}
	return false
}

var comma = []byte(",")

// dateCheck: -1 there is no Date or it is no date, -2 it is too long ago.
func dateCheck(c *route.Ctx, a *route.Args) int {
	n, ok := a.Int(c, 0)
	h := c.Msg.First(sipparse.HdrDate)
	if !ok || h == nil {
		return -1
	}
	t, err := time.Parse(time.RFC1123, string(c.Msg.Bytes(h.Body)))
	if err != nil {
		return -1
	}
	if c.P.Host.Now()/int64(time.Second)-t.Unix() > n { // a Date that is yet to come is as good, as in Kamailio
		return -2
	}
	return 1
}
