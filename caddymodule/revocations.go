package caddymodule

import (
	"context"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/scopegate/scopegate/tokenexchange"
)

// follow keeps the revocations up to date for as long as the store is open: no
// configuration owns the follower, so none is missed between two of them.
func (s *shared) follow() {
	s.followed.Do(func() {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		s.unfollow = func() { cancel(); <-done }
		go func() {
			defer close(done)
			s.revocations.Follow(ctx, s.store.(tokenexchange.Feed))
		}()
	})
}

// openRevocations returns the sets of all open stores, each once.
func openRevocations() (sets []*tokenexchange.Revocations) {
	open.Lock()
	defer open.Unlock()
	for _, all := range open.byKey {
		for _, s := range all {
			if !slices.Contains(sets, s.revocations) {
				sets = append(sets, s.revocations)
			}
		}
	}
	return sets
}

// What is known to be revoked belongs to the open stores.
var (
	revocations = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "scopegate_revocations", Help: "Revocations that this process knows of.",
	}, func() (n float64) {
		for _, v := range openRevocations() {
			n += float64(v.Len())
		}
		return n
	})
	unpublished = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "scopegate_revocations_unpublished", Help: "Revocations that hold in this process and wait for the store, so that others learn of them.",
	}, func() (n float64) {
		for _, v := range openRevocations() {
			n += float64(v.Unpublished())
		}
		return n
	})
	revocationAge = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "scopegate_revocation_feed_age_seconds", Help: "How long the revocations of other processes could not be read; 0 if they can.",
	}, func() (age float64) {
		for _, v := range openRevocations() {
			age = max(age, v.Age().Seconds())
		}
		return age
	})
)
