package clients

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/integration_test/outside"
)

// node runs a script of the folder npm, and names the packages that it tests.
func (h *house) node(script string, packages ...string) {
	h.t.Helper()
	h.program(outside.Node(h.t, "npm", packages...), "npm", script)
}

// program runs a program to its end, which has to be a good one. It finds the
// server by its environment, and trusts the root of its certificates.
func (h *house) program(command, dir string, args ...string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Dir, cmd.SysProcAttr = dir, outside.DieWithParent()
	root := filepath.Join(scratch, "ca.pem")
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.Dir,
		"NODE_EXTRA_CA_CERTS=" + root, "REQUESTS_CA_BUNDLE=" + root,
		"ISSUER=" + h.issuer, "SHOP=" + h.shop, "CLIENT_SECRET=" + clientSecret, "ROBOT_KEY=" + h.robotKey,
	}
	out, err := cmd.CombinedOutput()
	for line := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n") {
		h.t.Log(line)
	}
	if err != nil {
		h.t.Errorf("%s %s: %v", command, strings.Join(args, " "), err)
	}
}

// openid-client 6 insists on: https, unless told otherwise; an `issuer` in the
// metadata that is the URL it was given; `token_type`, `expires_in` as a number;
// in an id token `iss`, `aud`, `exp`, `iat`, the `nonce` that was sent and
// nothing that was not; `iss` in the authorization response, if the metadata
// promises it; 200 for a revocation. It needs node 20.
func TestOpenIDClient(t *testing.T) {
	t.Parallel()
	newHouse(t).node("openid-client.mjs", "openid-client")
}

// oauth4webapi is what openid-client is made of, and insists on the same. It
// tries nothing: each way to authenticate is named.
func TestOAuth4WebAPI(t *testing.T) {
	t.Parallel()
	newHouse(t).node("oauth4webapi.mjs", "oauth4webapi", "jose")
}

// simple-oauth2 insists on: JSON by its `content-type` in each answer, also to a
// revocation; `expires_in`, by which `expired` decides. It sends the secret in the
// header, form-encoded, or in a body of either kind, if it is told to.
func TestSimpleOAuth2(t *testing.T) {
	t.Parallel()
	newHouse(t).node("simple-oauth2.mjs", "simple-oauth2")
}

// passport-oauth2 asks for tokens with the module oauth, which sends the secret
// in the body and takes whatever JSON it gets; it hands the other members of the
// answer to the program.
func TestPassportOAuth2(t *testing.T) {
	t.Parallel()
	newHouse(t).node("passport-oauth2.mjs", "passport-oauth2", "oauth")
}

// jose insists on: a `kid` that names one key of the set, or an `alg` that does;
// `typ`, `iss`, `aud` and `exp` where it is told to.
func TestJose(t *testing.T) {
	t.Parallel()
	newHouse(t).node("jose.mjs", "jose")
}

// Authlib insists on: JSON with `access_token`, or with `error`. It sends the
// secret in the header without encoding it, and refreshes by `expires_at`, which
// it makes of `expires_in`. The one tested is Debian's, so
// it runs with Debian's Python, whatever stands first in the path.
func TestAuthlib(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3"
	version, err := exec.Command(python, "-c", "import authlib, platform; print(authlib.__version__ + ', Python ' + platform.python_version())").Output()
	if err != nil {
		t.Fatalf("authlib is missing (%v): apt-get install python3-authlib python3-requests", err)
	}
	t.Logf("client: Debian's python3-authlib %s", strings.TrimSpace(string(version)))
	newHouse(t).program(python, "python", "authlib_client.py")
}
