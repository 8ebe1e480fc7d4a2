package stack

import (
	"context"

	"twinbucket/internal/catalog"
)

// putEvent records an event as the stack's next one. The stack has to be saved
// afterwards: if that is prevented, the event is written over.
func (e *Engine) putEvent(ctx context.Context, s *Stack, ev Event) error {
	if _, err := e.events.Put(ctx, s.eventKey(s.EventCount), ev, catalog.Any); err != nil {
		return err
	}
	s.EventCount++
	return nil
}

// Events returns at most max events of a stack, newest first, and a token to
// go on with, "" at the end. Name is the stack's name, or its ARN, which also
// finds a deleted stack. Token is "" or one that an earlier call returned.
func (e *Engine) Events(account, name, token string, max int) (events []Event, next string, err error) {
	s, err := e.Stack(account, name)
	if err != nil {
		return nil, "", err
	}
	prefix := s.Account + "/" + s.uuid() + "/"
	after := ""
	if token != "" {
		after = prefix + token
	}
	records, more, err := e.events.List(prefix, after, max)
	if err != nil {
		return nil, "", err
	}
	for _, r := range records {
		events = append(events, r.Value)
		if more {
			next = r.Name[len(prefix):]
		}
	}
	return events, next, nil
}
