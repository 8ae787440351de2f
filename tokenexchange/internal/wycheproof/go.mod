module github.com/scopegate/scopegate/tokenexchange/internal/wycheproof

go 1.26.4

require (
	github.com/c2sp/wycheproof v0.0.0-20260902155932-3fa63dd0344a
	github.com/go-jose/go-jose/v4 v4.1.6
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/scopegate/scopegate v0.0.0
)

replace github.com/scopegate/scopegate => ../../..
