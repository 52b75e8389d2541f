// Package tm is the transaction layer (RFC 3261 section 17, RFC 6026): it absorbs retransmissions, forks requests, picks the answer
// that goes back, repeats what must be repeated, and runs failure, branch and reply routes.
//
// # Where state lives
//
// A transaction (cell) lies in shared memory, because its request, its replies, its CANCEL and its timers may come up in different
// processes. A cell is one block with its request behind it; each branch is one block with the request as it was sent behind it; the
// reply that goes upstream, a branch's stored final reply and the script's state (edits, flags, attributes) are blocks of their own. All hang
// on the cell and are freed with it. The hash table (65,536 buckets, by Call-ID and CSeq number as in Kamailio, so that the Via branch we
// make names the bucket) is found through the root "tm".
//
// When less than shm_reserve of the memory is free, a request without a To tag that is no CANCEL gets no transaction (503): what is left is
// for calls that exist (mayDip).
//
// A transaction of a request of this server's own (local.go) has one branch and no side towards a client; its state is the name of what is told of the reply (modules.UAC).
//
// # Lifetime
//
// A cell is born by t_newtran or t_relay, linked into its bucket, and unlinked when its wait timer fires. ref counts who may still touch
// it: the table, each armed timer, each message in hand (Ctx.Trans). Whoever takes it to zero frees it.
//
// # Locks
//
// Bucket lock, then a cell's mu, never the other way; no lock is held while a script runs or a message is sent upstream by a script. A
// failure route runs on a copy of the request's state with no lock held: flagFailure keeps a second one away, and what happened meanwhile is
// looked at again when it has ended.
//
// # Timers
//
// One timer a branch (retransmission and final response, whichever is next), one for its CANCEL, one a cell (repetition of the final
// reply until the ACK, then the wait time). They stand on the wheel of the process that armed them last; its successor carries on with them, and runs the handler that
// its predecessor died in again (timer.go).
//
// # Death of a process
//
// While a script works on a transaction, waiting included, the transaction carries the mark of the script's process (orphan.go). A successor looks for the
// marks of its slot before its first message and ends on its loop what nobody would end any more: the request is answered 500, unless branches were sent, which
// go on by their timers; a final reply that a process died with counts as a 500 of its branch. A cell that was being freed is noted in the root, and freed to its end (finishFree).
package tm
