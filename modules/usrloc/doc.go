// Package usrloc is the location table: which contacts an address of record has, for how long, and how to reach them. It has no script
// functions; module registrar and others use its API.
//
// A table (domain) lies in shared memory: buckets by hash of the address of record, a record an address, a contact a block with its texts
// behind it. Everything below a bucket is guarded by the bucket's lock; the API hands out views that are valid while the caller holds
// it (Lock, Unlock), and nothing that holds it may suspend or send.
//
// Tables are named by who uses them (save("location")) while the script is compiled; main makes them in Init, children find them.
package usrloc
