package client

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"twinbucket/fault"
)

// How often Deploy and WaitStack look.
const (
	firstPoll = 20 * time.Millisecond
	lastPoll  = 5 * time.Second
)

// maxEventPages bounds the search for the reason of a failure.
const maxEventPages = 20

// Deploy creates the stack name or updates it to template, like "aws
// cloudformation deploy", and waits for the end. Parameters that are not
// given keep their values. A template that changes nothing is no error.
//
// If the stack fails the error is a Conflict with the stack's status as its
// code, and says which resource failed and why.
func (c *Client) Deploy(ctx context.Context, name, template string, params map[string]string, capabilities []string) (*Stack, error) {
	old, err := c.stack(ctx, name)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	create := old == nil || old.Status == "REVIEW_IN_PROGRESS"
	t := Template{Body: template, Parameters: params, Capabilities: capabilities}
	if !create {
		if t.Previous, err = c.unchanged(ctx, old, t); err != nil {
			return nil, err
		}
	}
	setName := "twinbucket-deploy-" + strconv.FormatInt(time.Now().UnixNano(), 10)
	id, err := c.CreateChangeSet(ctx, name, setName, create, t)
	if err != nil {
		return nil, err
	}
	set, err := c.waitChangeSet(ctx, name, id)
	if err != nil {
		return nil, err
	}
	if set.Status != "CREATE_COMPLETE" {
		if isEmptyChange(set.Reason) {
			return old, nil
		}
		return nil, c.deployFault(name, fault.New(fault.Conflict, set.Status, "The change set could not be made: "+set.Reason))
	}
	if err := c.ExecuteChangeSet(ctx, name, id); err != nil {
		return nil, err
	}
	done, err := c.WaitStack(ctx, name)
	if err != nil {
		return nil, err
	}
	if done.Status == "CREATE_COMPLETE" || done.Status == "UPDATE_COMPLETE" {
		return done, nil
	}
	return done, c.deployFault(name, c.failure(ctx, done))
}

func (c *Client) deployFault(name string, e *fault.Error) *fault.Error {
	e.Op, e.Thing = "cloudformation.Deploy", name
	return e
}

// stack describes one stack.
func (c *Client) stack(ctx context.Context, name string) (*Stack, error) {
	list, err := c.DescribeStacks(ctx, name)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, c.deployFault(name, fault.New(fault.NotFound, "ValidationError", "Stack with id "+name+" does not exist"))
	}
	return &list[0], nil
}

// unchanged returns the parameters that the template declares, the stack has,
// and t does not set.
func (c *Client) unchanged(ctx context.Context, old *Stack, t Template) ([]string, error) {
	v, err := c.ValidateTemplate(ctx, t.Body)
	if err != nil {
		return nil, err
	}
	var keep []string
	for _, name := range v.Parameters {
		_, has := old.Parameters[name]
		_, given := t.Parameters[name]
		if has && !given {
			keep = append(keep, name)
		}
	}
	slices.Sort(keep)
	return keep, nil
}

// isEmptyChange reports whether a change set failed because it has no
// changes.
func isEmptyChange(reason string) bool {
	return strings.Contains(reason, "The submitted information didn't contain changes.") ||
		strings.Contains(reason, "No updates are to be performed")
}

func (c *Client) waitChangeSet(ctx context.Context, stack, id string) (*ChangeSet, error) {
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		set, err := c.DescribeChangeSet(ctx, stack, id)
		if err != nil || !(set.Status == "CREATE_PENDING" || set.Status == "CREATE_IN_PROGRESS") {
			return set, err
		}
		if err := pause(ctx, wait); err != nil {
			return nil, c.deployFault(stack, err)
		}
	}
}

// WaitStack waits until nothing is in progress with a stack, by name or id,
// and returns it. A stack that is gone is NotFound; asked by id it may be
// DELETE_COMPLETE.
func (c *Client) WaitStack(ctx context.Context, name string) (*Stack, error) {
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		s, err := c.stack(ctx, name)
		if err != nil || !s.InProgress() {
			return s, err
		}
		if err := pause(ctx, wait); err != nil {
			return s, c.deployFault(name, err)
		}
	}
}

func pause(ctx context.Context, wait time.Duration) *fault.Error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &fault.Error{Message: "Waiting was given up.", Err: ctx.Err()}
	}
}

// failure finds out why a stack failed: the first resource that failed in
// the last operation on it.
func (c *Client) failure(ctx context.Context, s *Stack) *fault.Error {
	e := fault.New(fault.Conflict, s.Status, "The stack failed.")
	if s.Reason != "" {
		e.Message = s.Reason
	}
	var first *StackEvent
	token := ""
	for range maxEventPages {
		events, next, err := c.DescribeStackEvents(ctx, s.ID, token)
		if err != nil {
			e.Err = err
			return e
		}
		for i, ev := range events {
			if ev.Type == "AWS::CloudFormation::Stack" && ev.Resource == s.Name {
				if ev.Status == "CREATE_IN_PROGRESS" || ev.Status == "UPDATE_IN_PROGRESS" || ev.Status == "DELETE_IN_PROGRESS" {
					return withResource(e, first)
				}
				continue
			}
			if strings.HasSuffix(ev.Status, "_FAILED") && !strings.HasPrefix(ev.Reason, "Resource creation cancelled") &&
				!strings.HasPrefix(ev.Reason, "Resource update cancelled") {
				first = &events[i]
			}
		}
		if next == "" {
			break
		}
		token = next
	}
	return withResource(e, first)
}

func withResource(e *fault.Error, ev *StackEvent) *fault.Error {
	if ev == nil {
		return e
	}
	e.Message = ev.Resource + " (" + ev.Type + ") is " + ev.Status + ": " + ev.Reason
	return e.WithHint("the stack is %s; correct the template or what it refers to, then deploy again", e.Code)
}
