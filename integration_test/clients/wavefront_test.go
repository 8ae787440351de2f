package clients

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wavefronthq/wavefront-sdk-go/senders"
)

// The SDK of Wavefront insists on: the CSP names of the two endpoints, below the
// base URL, and any status below 400 with `access_token` and `expires_in`. It
// sends the client's secret in the header without encoding it. It asks for the
// next token 3 minutes before this one ends, 30 seconds if it lives for less than
// 10 minutes, and if it lives for less than 30 seconds only every minute. The
// default of its base URL has a slash at the end, so that the path begins with
// two. CSPOrgID has no effect in version 0.15.0, which looks for another type.
func TestWavefront(t *testing.T) {
	t.Parallel()
	logModule(t, "github.com/wavefronthq/wavefront-sdk-go")
	h := newHouse(t)
	issuer, wavefront, apiToken := h.issuer, h.wave, h.apiToken
	cases := map[string]struct {
		login   senders.Option
		subject string
	}{
		"client credentials": {
			senders.CSPClientCredentials("collector", clientSecret, senders.CSPBaseURL(issuer)),
			"collector",
		},
		"API token": {
			senders.CSPAPIToken(apiToken, senders.CSPBaseURL(issuer)),
			"example.com:alice",
		},
		"client credentials, a slash at the end": {
			senders.CSPClientCredentials("collector", clientSecret, senders.CSPBaseURL(issuer+"/")),
			"collector",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			line := &wire{}
			before := len(h.upstream.received())
			sender, err := senders.NewSender(wavefront, c.login, senders.HTTPClient(&http.Client{Transport: line}), senders.SendInternalMetrics(false))
			if err != nil {
				t.Fatal(err)
			}
			if err := sender.SendMetric("orders.count", 7, time.Now().Unix(), "shop-1", map[string]string{"region": "eu"}); err != nil {
				t.Fatal(err)
			}
			if err := sender.Flush(); err != nil {
				t.Fatal(err)
			}
			sender.Close()

			seen := h.upstream.received()[before:]
			if len(seen) != 1 || seen[0].method != "POST" || seen[0].path != "/report" || seen[0].query != "f=wavefront" {
				t.Fatalf("the upstream got %+v, want one report", seen)
			}
			if !strings.HasPrefix(seen[0].body, `"orders.count" 7 `) || !strings.Contains(seen[0].body, `source="shop-1" "region"="eu"`) {
				t.Errorf("the upstream got the points %q", seen[0].body)
			}
			claims, own := claimsOf(t, seen[0].bearer()), line.bearer()
			if claims["sub"] != c.subject || claims["aud"] != upstreamAud+"wavefront" {
				t.Errorf("the upstream got sub %v and aud %v, want %s for the upstream of wavefront", claims["sub"], claims["aud"], c.subject)
			}
			if own == "" || claimsOf(t, own)["aud"] != "https://wavefront.example.com" {
				t.Fatal("the client sent no token for the guard")
			}
			for name, values := range seen[0].header {
				if strings.Contains(strings.Join(values, " "), own) {
					t.Errorf("the upstream got the caller's token in %s", name)
				}
			}
		})
	}
}

// A wrong secret is an error of the first report, and no point is sent. By itself
// the SDK would make that report within a second, and tell nobody.
func TestWavefrontRefused(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	sender, err := senders.NewSender(h.wave, senders.CSPClientCredentials("collector", "not the secret", senders.CSPBaseURL(h.issuer)), senders.SendInternalMetrics(false), senders.FlushInterval(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	if err := sender.SendMetric("orders.count", 7, 0, "shop-1", nil); err != nil {
		t.Fatal(err)
	}
	if err := sender.Flush(); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("got %v, want authentication failed: 401", err)
	}
	if seen := h.upstream.received(); len(seen) != 0 {
		t.Errorf("the upstream got %d requests, want none", len(seen))
	}
}

// wire sees what a client sends to the guard.
type wire struct {
	mu   sync.Mutex
	last string
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.last, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	w.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

func (w *wire) bearer() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}
