package redisstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/scopegate/scopegate/tokenexchange"
)

// TLS says how servers are recognised. The zero TLS trusts the system's roots
// and expects each server's certificate to name the host of its address.
type TLS struct {
	CA         []byte           // PEM of the only roots to trust. Default: the system's
	ServerName string           // the name to expect in every certificate
	Client     *tls.Certificate // what to show to a server that asks
}

// addresses are what may be an address, and is shown in errors: URLs and the
// words of clouds can hold a password.
var addresses = regexp.MustCompile(`^(\[[A-Za-z0-9.:%]*\]|[A-Za-z0-9._-]*)(:[0-9]*)?$`)

var keyPrefixes = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,64}$`)

// complete checks the options and fills in the defaults.
func (o Options) complete() (Options, error) {
	if len(o.Addresses) == 0 {
		return o, errors.New("no address; expected host:port")
	}
	for _, address := range o.Addresses {
		if !addresses.MatchString(address) {
			return o, tokenexchange.InLine("address", 0, errors.New("an address that could hold a login, so it is not shown; expected host:port"))
		}
		host, port, err := net.SplitHostPort(address)
		n, portErr := strconv.ParseUint(port, 10, 16)
		if err != nil || portErr != nil || host == "" || n == 0 {
			return o, tokenexchange.InLine("address", 0, fmt.Errorf("%q; expected host:port", address))
		}
	}
	if o.Issuer == "" {
		return o, errors.New("no issuer")
	}
	if o.KeyPrefix == "" {
		o.KeyPrefix = DefaultKeyPrefix
	}
	if !keyPrefixes.MatchString(o.KeyPrefix) {
		return o, fmt.Errorf("key prefix %q; expected 1 to 64 of A-Z a-z 0-9 . : _ -", o.KeyPrefix)
	}
	switch {
	case o.Database < 0:
		return o, fmt.Errorf("database %d; expected 0 or more", o.Database)
	case o.Database > 0 && o.cluster():
		return o, fmt.Errorf("database %d with several addresses; a Cluster has only 0", o.Database)
	case o.Username != "" && o.Password == nil:
		return o, errors.New("a user name without a password")
	case o.SentinelUsername != "" && o.SentinelPassword == nil:
		return o, errors.New("a Sentinel user name without a password")
	case o.SentinelPassword != nil && o.MasterName == "":
		return o, errors.New("a Sentinel password without a master name")
	case o.WaitReplicas < 0:
		return o, fmt.Errorf("%d replicas to wait for; expected 0 or more", o.WaitReplicas)
	case o.Timeout < 0 || o.Timeout > 0 && o.Timeout < 10*time.Millisecond:
		return o, fmt.Errorf("timeout %s; expected at least 10ms", o.Timeout)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

func (o Options) cluster() bool { return len(o.Addresses) > 1 && o.MasterName == "" }

// universal says the options in go-redis's words.
func (o Options) universal() (*redis.UniversalOptions, error) {
	u := &redis.UniversalOptions{
		Addrs:      o.Addresses,
		MasterName: o.MasterName,
		DB:         o.Database,

		DialTimeout:   o.Timeout,
		DialerRetries: 1, // The attempts of a verb are enough.
		ReadTimeout:   o.Timeout,
		WriteTimeout:  o.Timeout,
		PoolTimeout:   o.Timeout,
		// Without it no read or write heeds a context.
		ContextTimeoutEnabled: true,
		MaxRetries:            attempts - 1,
		MinRetryBackoff:       retryPause,
		MaxRetryBackoff:       50 * time.Millisecond,

		// The older protocol needs no push messages, and nothing but HELLO is
		// sent before the first command.
		Protocol:                 2,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if o.cluster() {
		// Redirects and repeats count together, or they would be multiplied.
		u.MaxRetries, u.MaxRedirects = -1, attempts-1
	}
	if o.Password != nil {
		u.CredentialsProviderContext = func(context.Context) (string, string, error) {
			password, err := read("password", o.Password)
			return o.Username, password, err
		}
	}
	if o.SentinelPassword != nil {
		password, err := read("Sentinel password", o.SentinelPassword)
		if err != nil {
			return nil, err
		}
		u.SentinelUsername, u.SentinelPassword = o.SentinelUsername, password
	}
	if o.TLS == nil {
		return u, nil
	}
	u.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.TLS.ServerName}
	if o.TLS.CA != nil {
		u.TLSConfig.RootCAs = x509.NewCertPool()
		if !u.TLSConfig.RootCAs.AppendCertsFromPEM(o.TLS.CA) {
			return nil, errors.New("TLS: no certificate in the CA file; expected PEM")
		}
	}
	if o.TLS.Client != nil {
		u.TLSConfig.Certificates = []tls.Certificate{*o.TLS.Client}
	}
	return u, nil
}

// read refuses an empty password: go-redis would not log in at all.
func read(what string, from func() (string, error)) (string, error) {
	password, err := from()
	if err != nil {
		return "", fmt.Errorf("reading the %s: %w", what, err)
	}
	if password == "" {
		return "", fmt.Errorf("the %s is empty", what)
	}
	return password, nil
}

// hidePasswords is for the texts of servers: one that does not know HELLO or
// AUTH repeats its arguments, and the password is among them. It cuts long ones,
// and the password may be another by now, so all that is repeated goes.
func (o Options) hidePasswords() func(string) string {
	return func(text string) string {
		const repeated = "with args beginning with"
		if before, _, found := strings.Cut(text, repeated); found {
			text = before + repeated + ": [hidden]"
		}
		for _, from := range []func() (string, error){o.Password, o.SentinelPassword} {
			if from == nil {
				continue
			}
			if password, err := from(); err == nil && password != "" {
				text = strings.ReplaceAll(text, password, "[password]")
			}
		}
		return text
	}
}
