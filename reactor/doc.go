// Package reactor moves bytes between sockets and a Handler, in one process of a server and between its processes.
//
// # A worker
//
// Every process that sends or receives runs one Worker: NewWorker, then Run on some goroutine until Stop. All methods of the Handler, everything given to
// Post, and the done of Await run on one goroutine, the loop; so what they touch needs no lock. Post, Await, Stop and SetSender may be called from
// anywhere, everything else only on the loop. The loop must not wait: what waits goes through Await.
//
// The loop is gnet's (one engine, one event loop). RoleTCPMain alone has an epoll loop of its own: none of its sockets is one that gnet reads.
//
//   - RoleUDP: opens its socket of the listener's reuseport group itself (engine.go, token: how gnet watches a socket without reading from it), drains it with
//     recvmmsg into the receive area (rx.go), hands each datagram to the Handler, and answers with sendmmsg when the batch is done. It waits by itself
//     on gnet's epoll descriptor (wait.go), raw while there is traffic, and goes back to gnet for what gnet has to handle.
//   - RoleTCPMain and RoleTCPWorker: below.
//   - RolePlain: no socket to read. It sends UDP from the senders that main has opened (OpenSenders) and TCP through the owners' inboxes.
//
// Every 1/16 s the Handler's Tick is called: the loop's own wait ends then. So the loop must not stay in gnet's wait: whoever makes gnet do something that ends
// in no OnTraffic (a connection enrolled or closed) rings the doorbell.
//
// # Buffers
//
// Packet.Buf lies in the receive area (UDP) or gnet's read buffer (TCP) and is good until Receive returns. Keep takes it out of there. What is sent is copied
// into the batch, unless it was built in Buffer. A warm UDP worker allocates nothing a message (alloc_test.go).
//
// # Nothing is lost
//
// Main keeps a duplicate of every UDP worker's socket and receive area (Steering). When a worker dies, its datagrams queue up in its socket. The
// successor, which gets both as Config.Fds, opens its own socket and in the same step re-attaches the steering program, so that the dead worker's
// sources come to the new socket; then it handles what stood in the receive area and was not answered, empties the old socket, and two ticks later closes it
// and tells main (Config.Drained), which closes the last duplicate. Messages of the interrupted batch may be handled twice, as retransmissions are. The message that the
// dead worker had in hand gets a second chance; a message that has killed twice is dropped by all workers (Steering.Died, killer.go, Stats.Killers).
// The mirror of the kernel's socket array (group, in shared memory) is changed under its lock only. Between main's close of an old socket and the next
// attach, some microseconds, the sources of one worker are steered to another one that lives (group.leaving); none is dropped.
//
// # Proxies of UDP
//
// With udp_accept_proxy a datagram may begin with a header that names the client behind a proxy. Packet.Src is the client then, and what is sent to him goes to
// the proxy, from any process: the addresses of both lie in a table in shared memory (udpproxy.go). The header is taken off in the receive area.
//
// # TCP
//
// TCP main accepts and connects, enters each connection in the table (conn.go, shared memory, one lock) and hands it by descriptor to the worker with the
// fewest; that one owns it until it closes: it alone reads and writes, frames, answers pings, and closes at errors, limits and the end of the lifetime. TCP main
// keeps a duplicate, so the owner shuts a connection down before it closes it, and reports it (recClosed). Any process sends with SendTCP: it finds the
// owner in the table, puts the bytes into the owner's inbox (a ring) and rings its doorbell; without a connection it asks TCP main for one. What one process sends over a
// connection keeps its order, and comes behind what was queued before, also while TCP main connects and hands over: tcpMain.connected says how. What could
// not be sent comes back to the sender's inbox, and from there to its Failer.
//
// A TCP worker may have the connections of one listener alone (Config.Owners); those of other listeners go to the workers that are for all. An accepted connection is
// watched by its owner: a PROXY header that may stand at its beginning (proxyheader.go), a first message and the rest of each that has begun must come in
// time (tcpslow.go).
//
// A TCP worker keeps a copy of the message in hand in shared memory (hand.go). It gets no second chance, because its connection is closed; who sends it again over a
// new one kills once more, and then it is on the list.
//
// When an owner dies its successor says hello to TCP main and gets the connections again; one in the middle of a message (row.Dirty) cannot go on and is closed. When
// TCP main dies its successor asks the owners for duplicates; connects that were in progress are lost (the sender's timer finds out).
//
// # Lock order
//
// group.Mu, connsRoot.Mu and proxyPeers.Mu are never held together, and nothing is locked under them but shm's own allocator (openInbox) and inboxes (tcpMain.connected, SendTCP).
package reactor
