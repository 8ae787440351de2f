package tokenexchange

import "github.com/scopegate/scopegate/tokenexchange/internal/pages"

// depart sends the browser to another place to log in.
func (v *visit) depart() (reply, error) { return nil, refused("parameter_invalid", "provider") }

func (v *visit) providers() []pages.Provider { return nil }
