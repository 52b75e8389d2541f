package textops

import (
	"bytes"

	"kahea/cfglang/route"
	"kahea/sipparse"
)

// How an audio stream is held.
const (
	heldByAddress   = 1 // c=IN IP4 0.0.0.0 (RFC 2543 B.5)
	heldByDirection = 2 // sendonly or inactive (RFC 3264 8.4)
)

var onlySDP = []byte("application/sdp")

// audioOnHold is is_audio_on_hold: how an audio stream of the session description is held, -1 if none is. What stands before the first m= holds for all streams
// that do not say otherwise.
func audioOnHold(c *route.Ctx, _ *route.Args) int {
	sdp := c.Msg.Body()
	if h := c.Msg.First(sipparse.HdrContentType); h != nil {
		ctype, _, _ := bytes.Cut(c.Msg.Bytes(h.Body), []byte(";"))
		if !bytes.EqualFold(bytes.TrimSpace(ctype), onlySDP) {
			p, body, ok := findPart(c, onlySDP)
			if !ok {
				return -1
			}
			sdp = body[p.content:p.end]
		}
	}
	if !bytes.HasPrefix(sdp, []byte("v=0")) {
		return -1
	}
	type state struct{ null, dir bool }
	var session, media state
	rc, audio, inMedia := -1, false, false
	flush := func() {
		switch {
		case !inMedia || !audio:
		case media.dir:
			rc = heldByDirection
		case media.null && rc < 0:
			rc = heldByAddress
		}
	}
	for l := range bytes.SplitSeq(sdp, []byte("\n")) {
		l = bytes.TrimSuffix(l, []byte("\r"))
		now := &session
		if inMedia {
			now = &media
		}
		switch {
		case bytes.HasPrefix(l, []byte("m=")):
			flush()
			inMedia, media = true, session
			audio = bytes.HasPrefix(l, []byte("m=audio "))
		case bytes.HasPrefix(l, []byte("c=IN IP4 ")):
			now.null = bytes.Equal(bytes.TrimSpace(l[len("c=IN IP4 "):]), []byte("0.0.0.0"))
		case bytes.Equal(l, []byte("a=sendonly")), bytes.Equal(l, []byte("a=inactive")):
			now.dir = true
		case bytes.Equal(l, []byte("a=sendrecv")), bytes.Equal(l, []byte("a=recvonly")):
			now.dir = false
		}
	}
	flush()
	return rc
}
