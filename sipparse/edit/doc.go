// Package edit builds outgoing messages from received ones, byte for byte as Kamailio does.
//
// A List holds the pending changes of one message (Kamailio's lumps): the message itself is never written to. The builders
// (AppendRequest, AppendForwardReply, AppendReply, AppendLocalACK, AppendLocalCANCEL) append to a buffer of the caller's and do
// not allocate when it has room; message and List are only read, so that one request can be built for several branches.
// A List belongs to one goroutine at a time; AppendBinary and Load carry it through shared memory.
package edit
