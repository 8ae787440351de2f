package mint_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/tokenexchange/internal/mint"
)

// exported returns the exported functions and methods of this package that
// return the named type, besides the type's own methods.
func exported(t *testing.T, typ string) []string {
	t.Helper()
	var found []string
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() || f.Type.Results == nil {
				continue
			}
			receiver := ""
			if f.Recv != nil {
				receiver = bare(f.Recv.List[0].Type)
			}
			for _, result := range f.Type.Results.List {
				if bare(result.Type) == typ && receiver != typ {
					found = append(found, strings.TrimPrefix(receiver+"."+f.Name.Name, "."))
				}
			}
		}
	}
	slices.Sort(found)
	return found
}

func bare(e ast.Expr) string {
	if star, ok := e.(*ast.StarExpr); ok {
		e = star.X
	}
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func TestConstructors(t *testing.T) {
	for typ, want := range map[string][]string{
		"Draft":         {"Mint.Delegate", "Mint.Derive", "Mint.First", "Mint.Impersonate", "Mint.OwnClient", "Mint.Renew", "Mint.Switch"},
		"IDDraft":       {"Draft.Identity", "Mint.DeriveID"},
		"UpstreamToken": {"Mint.SignUpstream"},
		"Issued":        {"Mint.Sign"},
		"IssuedID":      {"Mint.SignID"},
		"Signed":        {"Ring.Verify"},
		"Subject":       {"Signed.Admit"},
		"Target":        {"Mint.Target", "Mint.Upstream"},
		"Token":         {"Facts"},
	} {
		if got := exported(t, typ); !slices.Equal(got, want) {
			t.Errorf("%s is made by %q, want %q: who makes one of these must be decided in a review", typ, got, want)
		}
	}
}

// A draft that could be written to, or a token that could be read, would make
// every other check a matter of discipline.
func TestNothingIsExportedFromTheWalls(t *testing.T) {
	for _, v := range []any{
		mint.Draft{},
		mint.IDDraft{},
		mint.Signed{},
		mint.Token{},
		mint.UpstreamToken{},
		mint.Target{},
		mint.Mint{},
		mint.Ring{},
		mint.UserToken{},
		mint.ClientToken{},
		mint.IDToken{},
		mint.DelegatedToken{},
		mint.ImpersonatedToken{},
	} {
		typ := reflect.TypeOf(v)
		for i := range typ.NumField() {
			if typ.Field(i).IsExported() {
				t.Errorf("%s has the exported field %s", typ, typ.Field(i).Name)
			}
		}
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[mint.UpstreamToken](), reflect.TypeFor[*mint.UpstreamToken]()} {
		for _, name := range []string{"String", "GoString", "MarshalJSON", "MarshalText", "Value", "Raw"} {
			if _, has := typ.MethodByName(name); has {
				t.Errorf("%s has the method %s", typ, name)
			}
		}
	}
	// Subject is sealed: its one method is unexported.
	subject := reflect.TypeFor[mint.Subject]()
	if subject.NumMethod() != 1 || subject.Method(0).PkgPath == "" {
		t.Error("the interface Subject can be implemented elsewhere")
	}
}

func TestDraftMethodsOnlyNarrow(t *testing.T) {
	for typ, want := range map[reflect.Type][]string{
		reflect.TypeFor[*mint.Draft](): {
			"Audited", "GrantID", "HasScope", "Identity", "Limit", "LimitTo", "Narrow", "Narrowed", "Org", "Refused", "Rights", "Roles", "Scope", "Session", "Shorten", "Subject", "TellsRoles", "Validity", "Within",
		},
		reflect.TypeFor[*mint.IDDraft](): {"CapGroups", "Shorten"},
	} {
		var got []string
		for i := range typ.NumMethod() {
			got = append(got, typ.Method(i).Name)
		}
		if !slices.Equal(got, want) {
			t.Errorf("methods of %s: got %q, want %q: each that changes a draft must only narrow", typ, got, want)
		}
	}
}

// fmt and loggers look into unexported fields.
func TestUpstreamTokenCannotBePrinted(t *testing.T) {
	w := newWorld()
	token := upstreamToken(t, w)
	header := map[string][]string{}
	token.Authorize(header)
	raw := strings.TrimPrefix(header["Authorization"][0], "Bearer ")
	encoded, _ := json.Marshal(struct{ T mint.UpstreamToken }{token})
	for _, text := range []string{
		fmt.Sprint(token), fmt.Sprintf("%+v %#v %q %x", token, token, token, token), fmt.Sprint(&token),
		fmt.Sprintf("%v", struct{ T mint.UpstreamToken }{token}), string(encoded),
	} {
		if strings.Contains(text, raw[len(raw)-32:]) || strings.Contains(text, fmt.Sprintf("%x", raw[len(raw)-32:])) {
			t.Errorf("the token can be printed: %.40s...", text)
		}
	}
}

func upstreamToken(t *testing.T, w *world) mint.UpstreamToken {
	t.Helper()
	issued := must(w.Sign(must(w.First(ada(), web()))))
	target, ok := w.Upstream("shop")
	if !ok {
		t.Fatal("no upstream shop")
	}
	guard := &mint.Client{ID: "guard:shop", Permit: everything, Ceilings: true, AccessValidity: start.Sub(start.Add(-60e9)), AccessAlg: mint.ES256}
	return must(w.SignUpstream(must(w.Derive(must(w.admit(issued.Raw)), guard, target))))
}

func TestAuthorize(t *testing.T) {
	header := map[string][]string{"Authorization": {"Bearer old", "Basic x"}}
	if (mint.UpstreamToken{}).Authorize(header) || header["Authorization"] != nil {
		t.Errorf("the zero token: got %q, want no Authorization and false", header["Authorization"])
	}
	header["Authorization"] = []string{"Bearer old", "Basic x"}
	if token := upstreamToken(t, newWorld()); !token.Authorize(header) || len(header["Authorization"]) != 1 || !strings.HasPrefix(header["Authorization"][0], "Bearer ey") {
		t.Errorf("got %.20q, want the one token in place of what was there", header["Authorization"])
	}
}
