// Package inspect serves programs that watch queues: the command, an exporter, a
// dashboard. It turns the figures of package admin into ages and rates, and adds
// those of no single queue: the server and the migrations. Its types are the JSON
// that the command writes, with PGMQ's names where PGMQ has one.
package inspect
