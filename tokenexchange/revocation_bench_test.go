package tokenexchange

import (
	"fmt"
	"testing"
	"time"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// filledRevocations returns a set that names n tokens, grants, sessions,
// subjects and clients, in turn.
func filledRevocations(n int) *Revocations {
	v := NewRevocations(nil)
	now := time.Now()
	for i := range n {
		r := Revocation{Kind: revocationKinds[i%len(revocationKinds)], Value: fmt.Sprint("revoked ", i), Until: now.Add(time.Hour)}
		if r.Kind == RevokedSubject || r.Kind == RevokedClient {
			r.Before = now
		}
		v.add(r)
	}
	return v
}

var alive = mint.Identifiers{
	ID: "IWPC6V3IZTNIFDGMP6EYOFQC6F", RootID: "5HQXQNYUV3VX2HZQ4XCLIWKZQA", GrantID: "XJ2ZAFIM5PDYKH6UWE4IXAGWSQ",
	Session: "Q3VCLB4ZC5IYWU2OKHN2QK6TEA", Subject: "example.com:ada", ClientID: "batch",
	IssuedAt: time.Now().Add(-time.Minute), LoginAt: time.Now().Add(-time.Minute),
}

// BenchmarkRevocations is the look at the set that every request costs.
func BenchmarkRevocations(b *testing.B) {
	for _, n := range []int{0, 1000, 1_000_000} {
		v := filledRevocations(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v.why(alive) != "" {
					b.Fatal("a token that lives is refused")
				}
			}
		})
		b.Run(fmt.Sprint(n, " parallel"), func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					v.why(alive)
				}
			})
		})
	}
}
