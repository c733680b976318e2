// Package db is folder queries as Go: sqlc generates all other files of it, and
// nobody edits them. It serves package queue. It is importable, but outside of the
// project's compatibility promise: it changes with the queries.
package db
