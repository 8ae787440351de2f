package browser

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// names are the hosts of the tests. The other provider is localhost, because
// the server finds it by itself.
var names = []string{
	"auth.example.com", "shop.example.com", "reports.example.com",
	"app.example.net", "web.example.org", "evil.example.edu", "blog.example.com", "localhost",
}

// certificate is one for all names. The browser knows it by the hash of its key
// alone, so that nothing of this machine has to trust it.
var (
	certificate tls.Certificate
	keyHash     string // SHA-256 of the SubjectPublicKeyInfo, base64
)

// makeCertificates writes a self-signed certificate, and makes the processes
// that inherit the environment trust it, as an operator does with a private one.
func makeCertificates(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "scopegate browser"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(48 * time.Hour),
		DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	sum := sha256.Sum256(public)
	keyHash = base64.StdEncoding.EncodeToString(sum[:])
	certificate = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	for name, block := range map[string]*pem.Block{
		"server.pem": {Type: "CERTIFICATE", Bytes: der},
		"server.key": {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			return err
		}
	}
	return os.Setenv("SSL_CERT_FILE", filepath.Join(dir, "server.pem"))
}
