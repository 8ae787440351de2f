package integration_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// lived counts a long request that saw two reloads or more.
func (l *load) lived(count *atomic.Int64, since int64) {
	if l.reloads.Load() >= since+2 {
		count.Add(1)
	}
}

// stream reads an answer that takes seconds.
func (l *load) stream() {
	since, want := l.reloads.Load(), &strings.Builder{}
	for n := range streamLines {
		fmt.Fprintf(want, "line %d\n", n)
	}
	l.fresh(http.MethodGet, "/orders/stream", l.kept, http.StatusOK, want.String())
	l.lived(&l.streams, since)
}

// socket upgrades a connection and uses it for seconds.
func (l *load) socket() {
	since, answered := l.reloads.Load(), false
	for try := 0; !answered && try < 5; try++ {
		answered = l.trySocket()
	}
	if !answered {
		l.fail("no upgrade got an answer")
	}
	l.lived(&l.sockets, since)
}

func (l *load) trySocket() (answered bool) {
	conn, err := net.Dial("tcp", l.g.Addr("sockets"))
	if err != nil {
		l.fail("%v", err)
		return true
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(socketFor + waitTimeout))
	fmt.Fprintf(conn, "GET /orders/socket HTTP/1.1\r\nHost: shop.example.com\r\n%s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n", bearer(l.kept))
	reader := bufio.NewReader(conn)
	answer, err := http.ReadResponse(reader, nil)
	if err != nil {
		return false
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		l.fail("upgrade: got %d, want 101", answer.StatusCode)
		return true
	}
	for end := time.Now().Add(socketFor); time.Now().Before(end) && !l.over(); time.Sleep(streamEvery) {
		said := fmt.Sprintf("%d\n", time.Now().UnixNano())
		if _, err := io.WriteString(conn, said); err != nil {
			l.fail("socket: %v", err)
			return true
		}
		if got, err := reader.ReadString('\n'); err != nil || got != said {
			l.fail("socket: got %q (%v), want %q", got, err, said)
			return true
		}
	}
	return true
}

// figures are the goroutines and open files of the process, without the
// connections that both sides keep for later.
func (l *load) figures() (f [2]int) {
	l.keeping.CloseIdleConnections()
	l.g.Client.CloseIdleConnections()
	l.api.server.CloseClientConnections()
	answer, err := l.single.Get(l.g.URL("figures", "/metrics"))
	if err != nil {
		return [2]int{1 << 20, 1 << 20}
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		fmt.Sscanf(lines.Text(), "go_goroutines %d", &f[0])
		fmt.Sscanf(lines.Text(), "process_open_fds %d", &f[1])
	}
	return f
}

// smallest looks at the process until it stays as small as it was seen.
func (l *load) smallest() [2]int {
	f := l.figures()
	for same := 0; same < 10; time.Sleep(streamEvery) {
		now := l.figures()
		same++
		for i := range f {
			if now[i] < f[i] {
				f[i], same = now[i], 0
			}
		}
	}
	return f
}

// settles waits until the process is as small as it was.
func (l *load) settles(t *testing.T, before [2]int) [2]int {
	t.Helper()
	var f [2]int
	for end := time.Now().Add(waitTimeout); time.Now().Before(end); {
		if f = l.smallest(); f[0] <= before[0] && f[1] <= before[1] {
			return f
		}
	}
	t.Errorf("goroutines and open files: got %v, before the reloads %v", f, before)
	return f
}
