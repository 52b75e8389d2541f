// Package shm is kahea's memory: one arena shared by all processes (-m), private arenas (-M), the allocators qm, fm and
// tlsf over them, and what is built of blocks: roots, tables, swap tables, counters, rings and timing wheels.
//
// # Lifetimes
//
// Main makes the shared arena with Create; every other process maps the inherited memfd with Attach at an address of its
// own. What is stored is therefore an offset (Off, Ref), never an address, and a stored type holds no Go pointer.
// Pointers and slices obtained from an arena (Ref.Get, Bytes) stay valid until the block is freed or the arena is closed;
// the garbage collector does not know them. Tags, roots and counters are registered by main before the children start.
// An arena outlives every process but main; a root may outlive a binary, so a root carries a fingerprint of its layout.
// The fingerprint covers T itself; what a Ref inside T points to has its own root or is the owner's to version.
//
// # Blocks
//
// A block is a 16 byte header (size, size of the neighbour below, length asked for, tag, state) and its bytes, rounded up to 16.
// The heap is a gapless row of blocks, so it can be walked by sizes alone. All three allocators keep free blocks in lists by size under
// a bitmap of two levels, merge neighbours at once, and differ in the lists and in the choice:
//
//	qm    a list for each size up to 16 KiB, then 16 to a doubling; the best fit of a list; a guard word behind each block
//	fm    a list for each size up to 16 KiB, then one to a doubling; the first that fits
//	tlsf  64 lists to a doubling; the first block of the first list all of whose blocks fit
//
// The ledger counts used blocks by tag and by size class. AllocUnreserved leaves a reserve (SetReserve) to those who call Alloc.
//
// # Data that is reloaded
//
// A Swap is the one way to load rows from outside and to replace them while others read. Its generations hang on a root: present, retired, being built. A reader
// pins the generation in its process's slot, which nobody else writes, looks again whether it still is the present one, and reads. A reload
// claims the table, builds in chunks of its own, and swaps the generation in under the table's lock; the retired one goes when no slot has it pinned. The pin is the
// generation itself and not a number of an epoch: a reader that stays keeps that one generation and no other table's.
// A generation that is being built, freed or read belongs to the table's root at every instruction (allocAt, freeLocked), so that a death leaves nothing.
//
// # Locks
//
// A Mutex is a futex word that names its owner's slot. A process lists what it holds in its slot of the arena before it takes it,
// so that main can release a dead process's locks (ReleaseLocksOf). The next owner is told and repairs what the lock guards.
//
// Lock order: locks are taken in ascending class, and inside one class in ascending offset. Modules give their locks classes below
// ClassRegistry (Mutex.SetClass); class 0 is not checked. A table's buckets are ClassBucket unless Table.SetClass says otherwise.
// Then come the registry (tags, roots), the swap tables, the wheels, the rings, and last the allocator, so that Alloc, Free, Arm, Disarm and Put
// may be called under any other lock. Builds with the tag shmdebug panic where the order is broken.
//
// # Death
//
// A process may be killed at any instruction. Everything here is written so that a change has one store that makes it so:
// a block's state, a table's or wheel's Next, a ring's tail, a registry's count. What else must agree with it (free lists, ledger,
// back links, counts, bitmaps) is rebuilt from it by the next owner of the lock. Alloc and Free note the block that they work on; a block
// whose Alloc did not return is free after the repair, and so is one whose Free did not return. A block that was handed out and not yet
// stored anywhere dies with its process: it stays allocated, visible in the ledger under its tag.
// A timer stays on its wheel until the moment before its handler is called, and is noted there until the handler has done its work: one that was running
// when its process died is run again by the successor, which is told how often that has happened (Wheel.Advance).
// A ring's record is there when Put returned; the reader's record is dropped after its callback, so a reader's successor sees it again.
// Main must call ReleaseLocksOf for a dead process's slot before it gives the slot to another. That also frees what the process was building or reading of
// a swap table, unless the locks that this takes are held by another dead process: then that one's ReleaseLocksOf does it.
//
// A fault that this cannot repair (a broken header, guard or list: somebody wrote where he should not) is a panic.
package shm
