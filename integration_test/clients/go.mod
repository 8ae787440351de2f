module github.com/scopegate/scopegate/integration_test/clients

go 1.26.0

require (
	github.com/coreos/go-oidc/v3 v3.21.0
	github.com/scopegate/scopegate v0.0.0-00010101000000-000000000000
	github.com/wavefronthq/wavefront-sdk-go v0.15.0
	golang.org/x/crypto v0.57.0
	golang.org/x/oauth2 v0.37.0
)

require (
	github.com/caio/go-tdigest/v4 v4.0.1 // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/go-jose/go-jose/v4 v4.1.6 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	github.com/redis/go-redis/v9 v9.23.0 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/sync v0.23.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
)

replace github.com/scopegate/scopegate => ../..
