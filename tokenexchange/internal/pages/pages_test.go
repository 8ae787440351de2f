package pages

import (
	"net/http/httptest"
	"testing"
)

func TestSkeleton(t *testing.T) {
	p, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []Page{Login{}, Organizations{}, Consent{}, Account{}, Logout{}, LoggedOut{}, Failure{}} {
		w := httptest.NewRecorder()
		p.Show(w, httptest.NewRequest("GET", "/", nil), 200, page, Options{})
		if w.Code != 200 {
			t.Error(page.name(), w.Code)
		}
	}
}
