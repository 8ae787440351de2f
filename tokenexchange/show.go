package tokenexchange

import (
	"net/http"

	"github.com/scopegate/scopegate/tokenexchange/internal/pages"
)

// Pages is what people see: the built-in pages, or what replaces them.
type Pages = pages.Pages

// ReadPages reads the directory of replacements, and nothing else; "" is for the
// built-in pages. An error names the file, what was wrong, and what was expected.
func ReadPages(dir string) (*Pages, error) { return pages.New(dir) }

// show answers a request with a page. Where a replaced page fails, people get the
// built-in one, and the operator reads of it.
func (s *Server) show(w http.ResponseWriter, r *http.Request, status int, page pages.Page, o pages.Options) {
	if err := s.realm.pages.Show(w, r, status, page, o); err != nil {
		s.log.Error("what replaces a page failed, and the built-in page was shown", "error", err)
	}
}
