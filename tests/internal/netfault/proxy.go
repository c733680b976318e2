// Package netfault breaks the connections between clients and a server of Postgres, for
// tests.
package netfault

import (
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Proxy stands between clients and a server. It can be cut, and fall silent, and
// be slow. The zero Proxy is no proxy: use NewProxy.
type Proxy struct {
	delay atomic.Int64
	rate  atomic.Int64

	mu              sync.Mutex
	network, server string
	addr            string
	listener        net.Listener
	conns           []net.Conn
	speaking        chan struct{} // closed while it is not silent
	deaf            bool          // only the server's data is held back
}

// NewProxy returns a proxy of a server, which it does not dial before clients come
// and which accepts no client before Open.
func NewProxy(network, server string) *Proxy {
	speaking := make(chan struct{})
	close(speaking)
	return &Proxy{network: network, server: server, addr: "127.0.0.1:0", speaking: speaking}
}

// Open lets clients connect, at the same address each time. It does nothing when
// the proxy is open.
func (p *Proxy) Open() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return err
	}
	p.addr, p.listener = l.Addr().String(), l
	go p.accept(l)
	return nil
}

// Point has new connections lead to another server.
func (p *Proxy) Point(network, server string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.network, p.server = network, server
}

// Addr is where clients connect, after the first Open.
func (p *Proxy) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addr
}

// URL returns the DSN of the server, a URL, with the proxy in the server's place.
func (p *Proxy) URL(dsn string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return "", err
	}
	u.Host = p.Addr()
	return u.String(), nil
}

// Close cuts every connection and refuses new ones.
func (p *Proxy) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		p.listener.Close()
	}
	p.listener = nil
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// Silence stops all data, in both directions, until Speak. New
// connections are accepted, and get no answer either.
func (p *Proxy) Silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.speaking, p.deaf = make(chan struct{}), false
}

// SilenceServer is Silence for the server's data only: it still gets data from its clients.
func (p *Proxy) SilenceServer() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.speaking, p.deaf = make(chan struct{}), true
}

// Speak delivers all data held back, as when a network comes back.
func (p *Proxy) Speak() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.speaking:
	default:
		close(p.speaking)
	}
}

// Delay holds back all data for d, in both directions; 0 ends it.
func (p *Proxy) Delay(d time.Duration) { p.delay.Store(int64(d)) }

// Throttle lets only so many bytes a second through a connection, in each direction;
// 0 ends it.
func (p *Proxy) Throttle(bytesPerSecond int64) { p.rate.Store(bytesPerSecond) }

func (p *Proxy) accept(l net.Listener) {
	for {
		client, err := l.Accept()
		if err != nil {
			return
		}
		server, err := p.dial()
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		if p.listener != l { // closed meanwhile
			client.Close()
			server.Close()
		}
		p.mu.Unlock()
		go p.forward(client, server, true)
		go p.forward(server, client, false)
	}
}

func (p *Proxy) dial() (net.Conn, error) {
	p.mu.Lock()
	network, server := p.network, p.server
	p.mu.Unlock()
	return net.Dial(network, server)
}

func (p *Proxy) forward(to, from net.Conn, fromServer bool) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.hold(n, fromServer)
		if _, err := to.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *Proxy) hold(n int, fromServer bool) {
	if rate := p.rate.Load(); rate > 0 {
		time.Sleep(time.Duration(n) * time.Second / time.Duration(rate))
	}
	if d := time.Duration(p.delay.Load()); d > 0 {
		time.Sleep(d)
	}
	p.mu.Lock()
	speaking, deaf := p.speaking, p.deaf
	p.mu.Unlock()
	if fromServer || !deaf {
		<-speaking
	}
}
