// Package faultproxy stands between a client and its server on the loopback
// address, and does to their connections what networks do: it loses answers
// after the command ran, delays, resets, and goes silent.
package faultproxy

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// Fault is what happens to a request, and to the connection that brought it.
type Fault int

const (
	Pass  Fault = iota // nothing: it arrives, and so does its answer
	Lose               // it arrives and is done; its answer is swallowed, then both sides are reset
	Delay              // it arrives after a while
	Reset              // it never arrives: both sides are reset at once
	Hang               // it never arrives, and the connection stays open in silence
)

// delay is how long Delay waits: less than a timeout of tests should be.
const delay = 50 * time.Millisecond

// Rule chooses the fault of a request. It gets what one read of the client's
// connection gave, which for a long request is a part, and must be safe for
// concurrent use.
type Rule func(request []byte) Fault

// Proxy is one listener. Its rule can be changed at any time.
type Proxy struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	rule  Rule
	conns map[net.Conn]bool // nil after the end of the test
	ends  sync.WaitGroup
}

// Start starts a proxy before the server at to, which passes everything. It
// ends with the test.
func Start(t testing.TB, to string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{listener: listener, to: to, conns: map[net.Conn]bool{}}
	p.SetRule(Always(Pass))
	p.ends.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Addr is the address to connect to.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// SetRule changes the rule for every request from now on.
func (p *Proxy) SetRule(rule Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule = rule
}

// Always does one thing to every request.
func Always(f Fault) Rule { return func([]byte) Fault { return f } }

// First does f to the first n requests that hold one of the words, in any
// case, and passes everything else.
func First(n int, f Fault, words ...string) Rule {
	var mu sync.Mutex
	return func(request []byte) Fault {
		if !holds(request, words) {
			return Pass
		}
		mu.Lock()
		defer mu.Unlock()
		if n--; n < 0 {
			return Pass
		}
		return f
	}
}

// knownBy is how much of a request tells it from others: a long one comes in
// parts, which are never cut alike, and the first of them is not shorter.
const knownBy = 4 << 10

// Once does f to each request that holds one of the words when its very bytes
// come for the first time, and passes its repeats. Long requests that begin
// alike are taken for repeats.
func Once(f Fault, words ...string) Rule {
	var mu sync.Mutex
	seen := map[string]bool{}
	return func(request []byte) Fault {
		mu.Lock()
		defer mu.Unlock()
		known := string(request[:min(len(request), knownBy)])
		if !holds(request, words) || seen[known] {
			return Pass
		}
		seen[known] = true
		return f
	}
}

// Random does one of the faults to a share of the requests, from 0 to 1, drawn
// from the seed.
func Random(seed uint64, share float64, faults ...Fault) Rule {
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(seed, seed))
	return func([]byte) Fault {
		mu.Lock()
		defer mu.Unlock()
		if random.Float64() >= share {
			return Pass
		}
		return faults[random.IntN(len(faults))]
	}
}

func holds(request []byte, words []string) bool {
	request = bytes.ToLower(request)
	for _, word := range words {
		if bytes.Contains(request, bytes.ToLower([]byte(word))) {
			return true
		}
	}
	return false
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			reset(client)
			continue
		}
		l := &link{proxy: p, client: client, server: server}
		if !p.keep(client, server) {
			l.reset()
			return
		}
		p.ends.Go(l.requests)
		p.ends.Go(l.answers)
	}
}

// keep remembers connections, to end them with the test.
func (p *Proxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.conns == nil {
			return false
		}
		p.conns[c] = true
	}
	return true
}

func (p *Proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.conns = nil
	p.mu.Unlock()
	p.ends.Wait()
}

func (p *Proxy) choose(request []byte) Fault {
	p.mu.Lock()
	rule := p.rule
	p.mu.Unlock()
	return rule(request)
}

// link is one connection of a client, and ours to the server.
type link struct {
	proxy          *Proxy
	client, server net.Conn

	mu   sync.Mutex
	lose bool
	hang bool
}

func (l *link) requests() {
	defer l.end(l.server)
	buf := make([]byte, 64<<10)
	for {
		n, err := l.client.Read(buf)
		if n > 0 && !l.request(buf[:n]) {
			return
		}
		if err != nil {
			return
		}
	}
}

// request does to a request what the rule says. It tells whether to go on.
func (l *link) request(request []byte) bool {
	l.mu.Lock()
	lost, silent := l.lose, l.hang
	l.mu.Unlock()
	fault := Pass
	if !lost && !silent { // The rest of a long request shares its fate.
		fault = l.proxy.choose(request)
	}
	switch {
	case silent:
		return true
	case fault == Hang:
		l.mu.Lock()
		l.hang = true
		l.mu.Unlock()
		return true
	case fault == Reset:
		l.reset()
		return false
	case fault == Lose:
		l.mu.Lock()
		l.lose = true
		l.mu.Unlock()
	case fault == Delay:
		time.Sleep(delay)
	}
	_, err := l.server.Write(request)
	return err == nil
}

func (l *link) answers() {
	defer l.end(l.client)
	buf := make([]byte, 64<<10)
	for {
		n, err := l.server.Read(buf)
		l.mu.Lock()
		lost := l.lose
		l.mu.Unlock()
		if n > 0 && lost {
			l.reset()
			return
		}
		if n > 0 {
			if _, err := l.client.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// end passes an end on, so that the other side sees it too.
func (l *link) end(other net.Conn) {
	if c, ok := other.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
}

// reset ends both sides the hard way.
func (l *link) reset() {
	reset(l.client)
	reset(l.server)
}

func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
