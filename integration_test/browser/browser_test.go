package browser

import "testing"

// TestLogin logs in, or does not: passwords, organizations, prompt, max_age,
// the back button and two tabs.
func TestLogin(t *testing.T) {
	t.Parallel()
	newHouse(t, "bolt").play("login.mjs")
}

// TestThrottle has a house of its own: a slowed address slows everybody there.
func TestThrottle(t *testing.T) {
	t.Parallel()
	newHouse(t, "memory").play("throttle.mjs")
}

// TestConsent grants all, less, or nothing, and takes it back.
func TestConsent(t *testing.T) {
	t.Parallel()
	newHouse(t, "memory").play("consent.mjs")
}

// TestBoundary follows what was unticked through both applications, refreshes,
// exchanges and silent logins to the guard.
func TestBoundary(t *testing.T) {
	t.Parallel()
	newHouse(t, "redis").play("boundary.mjs")
}

// TestSessions logs out, and ends sessions from elsewhere.
func TestSessions(t *testing.T) {
	t.Parallel()
	newHouse(t, "bolt").play("sessions.mjs")
}

// TestRestart ends the server in the middle of everything.
func TestRestart(t *testing.T) {
	for _, store := range []string{"bolt", "redis"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			newHouse(t, store).play("restart.mjs")
		})
	}
}

// TestExpired comes too late.
func TestExpired(t *testing.T) {
	t.Parallel()
	newHouse(t, "redis").play("expired.mjs")
}

// TestAccess uses the keyboard alone, and no JavaScript.
func TestAccess(t *testing.T) {
	t.Parallel()
	newHouse(t, "memory").play("access.mjs")
}

// TestLooks looks at every page with axe-core, and takes its pictures.
func TestLooks(t *testing.T) {
	t.Parallel()
	h := newHouse(t, "memory")
	h.play("looks.mjs")
	keepImages(t, h.pictures)
}

// TestForgedForms forges, replays and reorders what people send.
func TestForgedForms(t *testing.T) {
	t.Parallel()
	newHouse(t, "redis").play("forged.mjs")
}

// TestAttacks frames, plants and injects.
func TestAttacks(t *testing.T) {
	t.Parallel()
	newHouse(t, "bolt").play("attacks.mjs")
}

// TestFederation logs in at another OpenID provider.
func TestFederation(t *testing.T) {
	t.Parallel()
	newHouse(t, "bolt").play("federation.mjs")
}

// TestRedirects follows applications that send the browser on at once.
func TestRedirects(t *testing.T) {
	t.Parallel()
	newHouse(t, "memory").play("redirects.mjs")
}

// TestTrap36Chromium holds what the pages rely on: `form-action` is about the
// redirects after a form too, and `__Host-` cookies work on http://localhost.
func TestTrap36Chromium(t *testing.T) {
	t.Parallel()
	newHouse(t, "memory").play("chromium.mjs")
}
