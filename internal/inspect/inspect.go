// Package inspect is for those who watch queues: the command, an exporter, a
// dashboard. It turns the figures of package admin into ages and rates, and adds
// what is not of one queue: the server and the migrations. Its types are the JSON
// that the command writes, with PGMQ's names where it has one.
package inspect
