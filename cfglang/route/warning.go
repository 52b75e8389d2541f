package route

import (
	"os"
	"strconv"

	"kahea/sipparse"
)

// warning is the Warning line of sip_warning=1, at most 1,024 bytes, without its line end.
func (c *Ctx) warning() []byte {
	s := c.P.Net.Sockets[0]
	if c.Recv.Sock != nil {
		s = c.Recv.Sock
	}
	vias := 0
	for h := c.Msg.First(sipparse.HdrVia); h != nil; h = c.Msg.NextOf(h) {
		vias++
	}
	b := c.Scratch.Tail(2048)
	if b == nil {
		return nil
	}
	b = append(b, "Warning: 392 "...)
	b = append(b, s.Host...)
	b = append(b, ':')
	b = strconv.AppendUint(b, uint64(s.Addr.Port()), 10)
	b = append(b, ` "Noisy feedback tells:  pid=`...)
	b = strconv.AppendInt(b, int64(os.Getpid()), 10)
	b = append(b, " req_src_ip="...)
	b = c.P.Par.Grammar.AppendIP(b, c.Recv.Src.Addr())
	b = append(b, " req_src_port="...)
	b = strconv.AppendUint(b, uint64(c.Recv.Src.Port()), 10)
	b = append(b, " in_uri="...)
	b = append(b, c.Msg.Bytes(c.Msg.Line.URI)...)
	b = append(b, " out_uri="...)
	b = append(b, c.RURI()...)
	b = append(b, " via_cnt="...)
	b = strconv.AppendInt(b, int64(vias), 10)
	b = append(b, '"')
	if len(b) > 1024 {
		return nil
	}
	return c.Scratch.Keep(b)
}
