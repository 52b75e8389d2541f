// Package load sends SIP to a server and measures what comes back.
//
// One Run is one event loop on one thread: it owns the sockets of all sources and of the UAS at the far side of a proxy, reads with
// recvmmsg and writes with sendmmsg, and allocates nothing while it runs, so that it costs less than the server whose machine it
// shares. A transaction lives in a slot; the slot's number and the transaction's sequence number are in the Via branch, so that a
// response finds its transaction without a table of texts (message.go). The UAS keeps no state: it answers from the request (uas.go).
//
// Transactions are started either saturated (as many outstanding as Config.Window) or paced (Config.Rate a second), until Config.Count
// or Config.Duration is reached; what is then outstanding is waited for. Over UDP the UAC sends again after T1, 2*T1 and so on
// (RFC 3261 section 17.1.2); the UAS does not send a 2xx again, so a lost 200 for an INVITE is a lost call.
//
// The package is for one goroutine: nothing in it may be called from two.
package load
