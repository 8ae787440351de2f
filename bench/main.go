// Command bench measures what the guard costs: CPU time of the server process
// for each request, over plain reverse_proxy, as ratios of paired runs.
//
// One Caddy process serves the same upstream on two sites, bare and guarded.
// Rounds alternate between the sites, so that a noisy machine disturbs both
// alike. The CPU time is the operating system's (user and system) and that of
// the server process alone: upstream and load run in processes of their own.
//
//	go run . [-rounds 20] [-requests 20000] [-connections 16]
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	rounds      = flag.Int("rounds", 20, "paired rounds")
	requests    = flag.Int("requests", 20000, "requests in each round on each site")
	connections = flag.Int("connections", 16, "connections of the load")
	upstream    = flag.String("upstream", "", "internal: serve as the upstream on this address")
)

const caddyfile = `{
	admin off
	default_bind 127.0.0.1
	grace_period 5s
	scopegate {
		issuer http://localhost:%[1]d
		demo
		store memory
		service shop http://localhost:%[3]d {
			permissions orders.read
		}
		client load {
			secret load-secret-of-the-benchmark
			grant_types client_credentials
			own shop/orders.read orders/**
			access_token_validity 1h
		}
	}
}
http://localhost:%[1]d {
	oauth_server
}
http://localhost:%[2]d {
	reverse_proxy 127.0.0.1:%[4]d
}
http://localhost:%[3]d {
	guard shop {
		GET /orders/{id} orders.read orders/{id}
	}
	reverse_proxy 127.0.0.1:%[4]d
}
`

func main() {
	flag.Parse()
	if *upstream != "" {
		log.Fatal(http.ListenAndServe(*upstream, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "ok")
		})))
	}
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "scopegate-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ports := freePorts(4)
	server, stop, err := start(dir, ports)
	if err != nil {
		return err
	}
	defer stop()
	token, err := getToken(fmt.Sprintf("http://localhost:%d/oauth2/token", ports[0]))
	if err != nil {
		return err
	}
	bare := site{url: fmt.Sprintf("http://localhost:%d/orders/1", ports[1]), token: token}
	guarded := site{url: fmt.Sprintf("http://localhost:%d/orders/1", ports[2]), token: token}

	fmt.Printf("machine: %d cores, %s/%s, %s\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Printf("rounds: %d of %d requests on each site, %d connections\n", *rounds, *requests, *connections)
	var bareCPU, guardCPU, cpuRatios, rateRatios []float64
	for i := range *rounds + 1 {
		// The order within a pair alternates: the second may find a warmer machine.
		first, second := &bare, &guarded
		if i%2 == 1 {
			first, second = second, first
		}
		for _, s := range []*site{first, second} {
			if err := s.measure(server); err != nil {
				return err
			}
		}
		if i == 0 {
			continue // The first pair warms up.
		}
		bareCPU, guardCPU = append(bareCPU, bare.cpu), append(guardCPU, guarded.cpu)
		cpuRatios, rateRatios = append(cpuRatios, guarded.cpu/bare.cpu), append(rateRatios, guarded.rate/bare.rate)
		fmt.Printf("round %2d: bare %6.2f us, guard %6.2f us, cpu ratio %.3f, throughput ratio %.3f\n",
			i, bare.cpu, guarded.cpu, guarded.cpu/bare.cpu, guarded.rate/bare.rate)
	}
	fmt.Printf("median: bare %.2f us, guard %.2f us, cpu ratio %.3f (%.3f to %.3f), throughput ratio %.3f\n",
		median(bareCPU), median(guardCPU), median(cpuRatios), slices.Min(cpuRatios), slices.Max(cpuRatios), median(rateRatios))
	return nil
}

// start builds and starts the server and its upstream.
func start(dir string, ports []int) (pid int, stop func(), err error) {
	binary := filepath.Join(dir, "caddy")
	build := exec.Command("go", "build", "-o", binary, "./cmd/caddy")
	build.Dir = ".." // the repository
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 0, nil, fmt.Errorf("building the server: %w", err)
	}
	config := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf(caddyfile, ports[0], ports[1], ports[2], ports[3])
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return 0, nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return 0, nil, err
	}
	up := exec.Command(self, "-upstream", fmt.Sprintf("127.0.0.1:%d", ports[3]))
	srv := exec.Command(binary, "run", "--config", config, "--adapter", "caddyfile")
	srv.Env = append(os.Environ(), "XDG_DATA_HOME="+filepath.Join(dir, "data"), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	var out bytes.Buffer
	srv.Stderr = &out
	var started []*exec.Cmd
	stop = func() {
		for _, cmd := range started {
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
		}
	}
	for _, cmd := range []*exec.Cmd{up, srv} {
		if err := cmd.Start(); err != nil {
			stop()
			return 0, nil, err
		}
		started = append(started, cmd)
	}
	for range 100 {
		res, err := http.Get(fmt.Sprintf("http://localhost:%d/oauth2/jwks", ports[0]))
		if err == nil {
			res.Body.Close()
			return srv.Process.Pid, stop, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return 0, nil, fmt.Errorf("the server did not start:\n%s", out.String())
}

func getToken(endpoint string) (string, error) {
	req, err := http.NewRequest(http.MethodPost, endpoint, strings.NewReader(url.Values{"grant_type": {"client_credentials"}}.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("load", "load-secret-of-the-benchmark")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Token == "" {
		return "", fmt.Errorf("no token: status %d, %v", res.StatusCode, err)
	}
	return answer.Token, nil
}

// site is one of the two ways to the upstream, and its last measurement.
type site struct {
	url, token string
	cpu        float64 // microseconds of the server's CPU time for a request
	rate       float64 // requests a second
}

// measure sends one round of requests. The bare site gets the same token, so
// that both sites read and forward a header of that size.
func (s *site) measure(pid int) error {
	transport := &http.Transport{MaxIdleConnsPerHost: *connections}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	before, err := cpuTime(pid)
	if err != nil {
		return err
	}
	began := time.Now()
	var group sync.WaitGroup
	failures := make(chan error, *connections)
	for range *connections {
		group.Go(func() {
			for range *requests / *connections {
				if err := s.request(client); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	group.Wait()
	took := time.Since(began)
	after, err := cpuTime(pid)
	close(failures)
	if err := errors.Join(err, <-failures); err != nil {
		return err
	}
	sent := float64(*requests / *connections * *connections)
	s.cpu, s.rate = (after-before)*1e6/sent, sent/took.Seconds()
	return nil
}

func (s *site) request(client *http.Client) error {
	req, err := http.NewRequest(http.MethodGet, s.url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d, %v", s.url, res.StatusCode, err)
	}
	return nil
}

// cpuTime returns the seconds of user and system time of a process: fields 14
// and 15 of /proc/PID/stat, in ticks of 10 ms (proc(5)).
func cpuTime(pid int) (float64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100, errors.Join(err1, err2)
}

func freePorts(n int) []int {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			log.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
