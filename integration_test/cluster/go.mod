module github.com/scopegate/scopegate/integration_test/cluster

go 1.26.0

require github.com/scopegate/scopegate v0.0.0-00010101000000-000000000000

require (
	github.com/go-jose/go-jose/v4 v4.1.6 // indirect
	github.com/golang-jwt/jwt/v5 v5.3.1 // indirect
	golang.org/x/crypto v0.57.0 // indirect
	golang.org/x/sync v0.23.0 // indirect
	golang.org/x/sys v0.48.0 // indirect
	golang.org/x/text v0.42.0 // indirect
)

replace github.com/scopegate/scopegate => ../..
