// Package sabotage changes the SQL of a client on its way to the server. So tests
// have a client in which one mechanism is switched off, without a switch in the
// client.
package sabotage

import (
	"context"
	"encoding/binary"
	"net"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Use has the connections of a pool send rewrite(sql) for every statement: those
// that they prepare, and those of the simple protocol. It is called by several
// goroutines at once. The statement must keep its parameters and columns.
func Use(config *pgxpool.Config, rewrite func(sql string) string) {
	dial := config.ConnConfig.DialFunc
	config.ConnConfig.TLSConfig, config.ConnConfig.Fallbacks = nil, nil // it must be readable
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		return &conn{Conn: c, rewrite: rewrite}, err
	}
}

// conn rewrites the statements that a client sends.
type conn struct {
	net.Conn
	rewrite func(string) string
	begun   bool   // the first message, which has no type, is through
	pending []byte // of a message that is not complete
}

// Write writes the messages that are complete by now.
func (c *conn) Write(p []byte) (int, error) {
	c.pending = append(c.pending, p...)
	var out []byte
	for {
		typed := 0
		if c.begun {
			typed = 1
		}
		if len(c.pending) < typed+4 {
			break
		}
		size := typed + int(binary.BigEndian.Uint32(c.pending[typed:]))
		if len(c.pending) < size {
			break
		}
		message, err := c.change(c.pending[:size])
		if err != nil {
			return 0, err
		}
		out = append(out, message...)
		c.pending = c.pending[size:]
		c.begun = true
	}
	if _, err := c.Conn.Write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

// change returns a message with its SQL rewritten.
func (c *conn) change(message []byte) ([]byte, error) {
	if !c.begun {
		return message, nil
	}
	const header = 5 // type and length
	switch message[0] {
	case 'P':
		var parse pgproto3.Parse
		if err := parse.Decode(message[header:]); err != nil {
			return nil, err
		}
		parse.Query = c.rewrite(parse.Query)
		return parse.Encode(nil)
	case 'Q':
		var query pgproto3.Query
		if err := query.Decode(message[header:]); err != nil {
			return nil, err
		}
		query.String = c.rewrite(query.String)
		return query.Encode(nil)
	}
	return message, nil
}
