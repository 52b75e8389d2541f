package siputils

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"kahea/cfglang/log"
	"kahea/cfglang/route"
	"kahea/sipparse"
)

var (
	pcvName = []byte("P-Charging-Vector")
	pcvLine = []byte("P-Charging-Vector: ")
)

// chargingVector is the P-Charging-Vector (RFC 7315 4.6) of the message: the one that was generated here, else the field as it came. In the first case the text is
// the whole line, as in Kamailio.
func chargingVector(c *route.Ctx) (text []byte) {
	c.Edits.EachInsert(sipparse.HdrOther, func(b []byte) []byte {
		if bytes.HasPrefix(b, pcvLine) {
			text = c.Scratch.Copy(b)
		}
		return nil
	})
	if text != nil {
		return text
	}
	h := c.Msg.Find(pcvName)
	if h == nil || c.Edits.Removed(h.Off) {
		return nil
	}
	return c.Msg.Bytes(h.Body)
}

// vectorParam is a parameter, to the next separator; nil if there is none.
func vectorParam(b []byte, name string) []byte {
	i := bytes.Index(b, []byte(name))
	if i < 0 {
		return nil
	}
	b = b[i+len(name):]
	if end := bytes.IndexAny(b, "; \t\r\n,"); end >= 0 {
		b = b[:end]
	}
	return b
}

const icid = "icid-value="

// pChargingVector is sip_p_charging_vector: r removes the field, g generates one if there is none that names an icid-value, f generates one in any case.
func pChargingVector(c *route.Ctx, a *route.Args) int {
	how, ok := a.Str(c, 0)
	if !ok || len(how) == 0 {
		return -1
	}
	remove, force, generate := false, false, false
	for _, ch := range how {
		switch ch | 0x20 {
		case 'r':
			remove = true
		case 'g':
			generate = true
		case 'f':
			force = true
		default:
			c.Logf(log.Err, "siputils", "sip_p_charging_vector: got %q, want r, g or f", how)
			return -1
		}
	}
	h := c.Msg.Find(pcvName)
	if h != nil && (remove || force) && !c.Edits.Removed(h.Off) {
		c.Edits.Remove(h.Off, h.End-h.Off, sipparse.HdrOther)
	}
	if !force && !(generate && len(vectorParam(chargingVector(c), icid)) == 0) || bytes.HasPrefix(chargingVector(c), pcvLine) {
		return 1
	}
	if h != nil && !c.Edits.Removed(h.Off) {
		c.Edits.Remove(h.Off, h.End-h.Off, sipparse.HdrOther)
	}
	var id [16]byte
	route.RandomID(id[:])
	b := append(append(c.Scratch.Tail(160), pcvLine...), icid...)
	b = append(hex.AppendEncode(b, id[:]), "; icid-generated-at="...)
	b = append(append(b, c.Recv.Sock.Host...), "\r\n"...)
	c.Edits.InsertAfter(c.Msg.HdrEnd, c.Scratch.Keep(b), sipparse.HdrOther)
	return 1
}

// bindVector makes $pcv(x).
func bindVector(_ route.Env, r *route.VarRef) (route.Getter, route.Setter, error) {
	name, ok := map[string]string{"all": "", "value": icid, "genaddr": "icid-generated-at=", "orig": "orig-ioi=", "term": "term-ioi="}[r.Inner]
	if !ok {
		return nil, nil, fmt.Errorf("$pcv(%s): want all, value, genaddr, orig or term", r.Inner)
	}
	return func(c *route.Ctx) route.Value {
		b := chargingVector(c)
		if len(vectorParam(b, icid)) == 0 {
			return route.Null
		}
		if name != "" {
			if b = vectorParam(b, name); b == nil {
				return route.Null
			}
		}
		return route.Str(b)
	}, nil, nil
}
