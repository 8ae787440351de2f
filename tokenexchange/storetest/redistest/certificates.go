package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Certificates are made for one test.
type Certificates struct {
	CA     []byte          // PEM of the root that signed both
	Client tls.Certificate // what the server wants to see

	lines []string // of the server's configuration
}

// NewCertificates makes a root, a server's certificate for 127.0.0.1 and the
// name redis.test, and a client's.
func NewCertificates(t testing.TB) Certificates {
	t.Helper()
	dir := t.TempDir()
	root := &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	rootKey, rootDER := certify(t, root, nil, nil)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER})
	server := &x509.Certificate{
		DNSNames: []string{"redis.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	serverKey, serverDER := certify(t, server, root, rootKey)
	clientKey, clientDER := certify(t, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, root, rootKey)

	keyDER, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, file := range []struct {
		setting string
		text    []byte
	}{
		{"tls-ca-cert-file", ca},
		{"tls-cert-file", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: serverDER})},
		{"tls-key-file", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})},
	} {
		path := filepath.Join(dir, file.setting)
		if err := os.WriteFile(path, file.text, 0o600); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprint(file.setting, " ", path))
	}
	return Certificates{CA: ca, lines: lines, Client: tls.Certificate{Certificate: [][]byte{clientDER}, PrivateKey: clientKey}}
}

// certify signs a certificate with a new key. A nil parent signs itself.
func certify(t testing.TB, cert, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert.SerialNumber = big.NewInt(time.Now().UnixNano())
	cert.Subject = pkix.Name{CommonName: fmt.Sprint("redistest ", cert.SerialNumber)}
	cert.NotBefore, cert.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if parent == nil {
		parent, parentKey = cert, key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}
