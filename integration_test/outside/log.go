package outside

import "regexp"

// Crashed finds what a Go program prints when it is broken, and what net/http
// and Caddy print when a handler panicked and the process went on.
var Crashed = regexp.MustCompile(`(?m)WARNING: DATA RACE|^panic: |^fatal error: |panic serving|\[recovered\]`)
