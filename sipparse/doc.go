// Package sipparse turns bytes into SIP messages: offsets into the buffer that the message came in, never copies.
//
// A worker owns one Msg per message in hand and uses it again and again. Msg.Parse borrows the buffer: spans, and the slices
// made of them, are valid as long as the buffer is, and nothing here writes to it. Warm, nothing here allocates. There are no
// locks: a Msg, a Framer or an iterator belongs to one goroutine at a time.
//
// Parsing goes in steps, because Kamailio's do and a peer can see it: Parse reads the first line, finds every header field and
// checks those that Kamailio checks on its way (every Via, Content-Length, fields that may stand only once). Mandatory parses
// From, To, Call-ID and CSeq. Everything else is parsed when it is asked for and kept until the next Parse. What is broken
// behind the mandatory fields does not stop a message from being relayed; Msg.Complete says so to those who need all fields.
//
// Framer cuts a byte stream into messages; package edit builds what goes out.
package sipparse
