// Package generics holds what needs a type parameter and no Postgres: the codec
// between T and JSON, and the loop that waits for something to turn up.
//
// It knows the standard library only. Nothing in it mentions a message or SQL.
package generics
