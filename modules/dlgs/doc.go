// Package dlgs follows calls without the weight of module dialog: dlgs_init notes an INVITE, replies and dlgs_update move it on, dlgs_count and dlgs_tags_count say how
// many calls of a kind there are.
//
// The calls lie in shared memory, in a table by Call-ID whose buckets have a lock each; a call and its tags are blocks of their own. Nothing is sent and no script
// suspends while a bucket is locked, and no more than one is. Any process may note, move, count and list; the slow timer process removes what has ended or is too old.
// A call ends with the final reply that tm sends upstream, or, without tm, with the first negative one that comes in; with BYE; or by its lifetime.
package dlgs
