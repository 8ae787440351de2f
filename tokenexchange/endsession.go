package tokenexchange

import "context"

// held is a session as the lists of its person have it.
func (in *session) held() heldSession {
	return heldSession{
		Key: in.id.key.name(), ID: in.id.grant, SID: in.SID, Since: in.Created, End: in.End, Method: in.Method, Device: in.Device,
	}
}

// endSession ends a login: all tokens that live no longer than it, and then its
// record. In this order, a fault in between leaves nothing that goes on.
func (s *Server) endSession(ctx context.Context, a Attempt, subject string, l heldSession) error {
	end := RevokeSession(l.SID, s.longestEnd())
	if err := s.mayEnd("", subject, end); err != nil {
		return err
	}
	if err := s.revoke(ctx, end); err != nil {
		return published(err)
	}
	for _, k := range s.state.ring {
		if k.name() != l.Key {
			continue
		}
		if err := s.state.Sessions().end(ctx, opaque{key: k, grant: l.ID}); err != nil {
			return err
		}
	}
	return s.state.Holdings().change(ctx, a, subject, func(h *holdings) { h.leave(l) })
}

// mark names the session on the pages of its person.
func (l *heldSession) mark() string { return markOf(l.ID) }
