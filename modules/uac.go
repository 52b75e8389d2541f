package modules

import (
	"kahea/cfglang/route"
	"kahea/sipparse"
)

// UAC sends requests of this server's own, each in a transaction: module tm is one, which others find with Host.Find. A transaction lies in shared memory and any process may
// get its reply, after a crash, a reload or an upgrade too; so what is told of replies is not a function but the name of one, and what it has to know travels as bytes.
// All is called on the loop.
type UAC interface {
	// OnReply gives a name to what is told of replies; in Setup, in every process. The reply is valid during the call.
	OnReply(name string, f func(r *UACReply))
	// SendRequest sends a request. An error that shows at once is returned; one that shows later, since a name had to be looked up, comes as a reply of our own, 478 or 477.
	SendRequest(r *UACRequest) (TransactionID, error)
	// CancelRequest cancels an INVITE that has no final reply yet; false: there is none.
	CancelRequest(id TransactionID) bool
	// Transaction tells how a transaction of SendRequest stands; false: it is not there (it stays for wt_timer after its end).
	Transaction(id TransactionID, f func(r *UACReply)) bool
}

// TransactionID names a transaction while it exists.
type TransactionID struct{ Index, Label uint32 }

// UACRequest is a request to be sent; SendRequest copies what it keeps.
type UACRequest struct {
	Method, URI []byte
	NextHop     []byte // URI; nil: URI's
	From, To    []byte // From without a tag, which is added; To with the tag of a dialog's
	FromTag     []byte // nil: one is made
	CallID      []byte // nil: one is made
	CSeq        uint32 // 0: 10, as Kamailio's
	Headers     []byte // further lines, each with its line end; none of From, To, Call-ID, CSeq, Content-Length
	Body        []byte
	Socket      *route.Socket // to send from; nil: by the destination
	Reply       string        // name of what is told of the final reply, and, with Provisional, of the others; "": nobody
	Param       []byte        // for it, up to 64 kB
	Provisional bool
	NoACK       bool   // the ACK to a 2xx is the caller's
	FR          uint32 // ms without a final reply; 0: fr_timer and fr_inv_timer
}

// UACReply is how a request stands.
type UACReply struct {
	ID     TransactionID
	Status int           // 0: no reply yet
	Msg    *sipparse.Msg // nil: none, or Status is our own (408, 477, 478, 487)
	Sent   *sipparse.Msg // the request
	Param  []byte
}

// Reason is the reply's reason.
func (r *UACReply) Reason() []byte {
	switch {
	case r.Msg != nil:
		return r.Msg.Bytes(r.Msg.Line.Reason)
	case r.Status == 408:
		return []byte("Request Timeout")
	case r.Status == 477:
		return []byte("Unfortunately error on sending to next hop occurred")
	case r.Status == 478:
		return []byte("Unresolvable destination")
	case r.Status == 487:
		return []byte("Request Terminated")
	}
	return []byte("Error")
}
