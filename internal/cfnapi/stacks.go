package cfnapi

import (
	"context"
	"slices"
	"strconv"
	"time"

	"twinbucket/fault"
	"twinbucket/internal/stack"
	"twinbucket/internal/wire"
)

// pageSize is how many things a listing answers at a time.
const pageSize = 100

// page cuts the part of list that NextToken asks for and returns the token of
// the next part, "" at the end.
func page[T any](c *call, list []T) ([]T, string, error) {
	from := 0
	if token := c.form.Get("NextToken"); token != "" {
		n, err := strconv.Atoi(token)
		if err != nil || n < 0 {
			return nil, "", invalid("NextToken is not valid: %s", token)
		}
		from = min(n, len(list))
	}
	rest := list[from:]
	if len(rest) <= pageSize {
		return rest, "", nil
	}
	return rest[:pageSize], strconv.Itoa(from + pageSize), nil
}

// createStack is CreateStack.
func (c *call) createStack() error {
	in, err := c.input("ClientRequestToken")
	if err != nil {
		return err
	}
	if err := c.allow("CreateStack", in.Name); err != nil {
		return err
	}
	in.OnFailure = c.form.Get("OnFailure")
	protected, err := c.truth("EnableTerminationProtection")
	if err != nil {
		return err
	}
	in.Protected = protected != nil && *protected
	if in.Template, err = c.needTemplate(c.r.Context()); err != nil {
		return err
	}
	id, err := c.Stacks.Create(c.r.Context(), c.caller, in)
	if err != nil {
		return err
	}
	c.linger(id)
	c.out.Text("StackId", id)
	return nil
}

// updateStack is UpdateStack.
func (c *call) updateStack() error {
	in, err := c.input("ClientRequestToken")
	if err != nil {
		return err
	}
	if err := c.allow("UpdateStack", in.Name); err != nil {
		return err
	}
	if in.Template, err = c.template(c.r.Context()); err != nil {
		return err
	}
	id, err := c.Stacks.Update(c.r.Context(), c.caller, in)
	if err != nil {
		return err
	}
	c.linger(id)
	c.out.Text("StackId", id)
	return nil
}

// deleteStack is DeleteStack.
func (c *call) deleteStack() error {
	name, err := c.need("StackName")
	if err != nil {
		return err
	}
	if mode := c.form.Get("DeletionMode"); mode != "" && mode != "STANDARD" {
		return fault.Newf(fault.Unsupported, "NotImplemented", "The DeletionMode %s is not supported.", mode).
			WithHint("name the resources to leave with --retain-resources")
	}
	if err := c.allow("DeleteStack", name); err != nil {
		return err
	}
	err = c.Stacks.Delete(c.r.Context(), c.caller, stack.Deletion{
		Name: name, Retain: wire.Members(c.form, "RetainResources"),
		RoleARN: c.form.Get("RoleARN"), Token: c.form.Get("ClientRequestToken"),
	})
	if err == nil {
		c.linger(name)
	}
	return err
}

// patience is how long an answer is held back for work to end.
const patience = 5 * time.Second

// linger waits a little for the work on a stack to end before the request is
// answered. That takes milliseconds here, and clients that find a stack still
// being worked on look again after half a minute. How the work ends is not
// part of the answer.
func (c *call) linger(name string) {
	ctx, cancel := context.WithTimeout(c.r.Context(), patience)
	defer cancel()
	_, _ = c.Stacks.Wait(ctx, c.caller.Account, name)
}

// protect is UpdateTerminationProtection.
func (c *call) protect() error {
	name, err := c.need("StackName")
	if err != nil {
		return err
	}
	on, err := c.truth("EnableTerminationProtection")
	if err != nil {
		return err
	}
	if on == nil {
		_, err := c.need("EnableTerminationProtection")
		return err
	}
	if err := c.allow("UpdateTerminationProtection", name); err != nil {
		return err
	}
	id, err := c.Stacks.Protect(c.r.Context(), c.caller.Account, name, *on)
	if err != nil {
		return err
	}
	c.out.Text("StackId", id)
	return nil
}

// describeStacks is DescribeStacks: of one stack, or of all that are not
// deleted.
func (c *call) describeStacks() error {
	name := c.form.Get("StackName")
	var list []*stack.Stack
	next := ""
	if name != "" {
		if err := c.allow("DescribeStacks", name); err != nil {
			return err
		}
		s, err := c.Stacks.Stack(c.caller.Account, name)
		if err != nil {
			return err
		}
		list = []*stack.Stack{s}
	} else {
		if err := c.allow("DescribeStacks", "*"); err != nil {
			return err
		}
		all, err := c.Stacks.Stacks(c.caller.Account)
		if err != nil {
			return err
		}
		all = slices.DeleteFunc(all, func(s *stack.Stack) bool { return s.Status == stack.DeleteComplete })
		if list, next, err = page(c, all); err != nil {
			return err
		}
	}
	c.out.Open("Stacks")
	for _, s := range list {
		if err := c.writeStack(s); err != nil {
			return err
		}
	}
	c.out.Close("Stacks")
	c.out.Optional("NextToken", next)
	return nil
}

func (c *call) writeStack(s *stack.Stack) error {
	x := c.out
	x.Open("member")
	x.Text("StackId", s.ID)
	x.Text("StackName", s.Name)
	x.Optional("ChangeSetId", s.ChangeSet)
	x.Optional("Description", s.Description)
	if err := c.writeParameters(&s.Spec); err != nil {
		return err
	}
	x.Time("CreationTime", s.Created)
	if !s.Deleted.IsZero() {
		x.Time("DeletionTime", s.Deleted)
	}
	if !s.Updated.IsZero() {
		x.Time("LastUpdatedTime", s.Updated)
	}
	x.Open("RollbackConfiguration")
	x.Close("RollbackConfiguration")
	x.Text("StackStatus", string(s.Status))
	x.Optional("StackStatusReason", s.Reason)
	x.Bool("DisableRollback", s.DisableRollback)
	x.Open("NotificationARNs")
	x.Close("NotificationARNs")
	c.writeStrings("Capabilities", s.Capabilities)
	if len(s.Outputs) > 0 {
		x.Open("Outputs")
		for _, o := range s.Outputs {
			x.Open("member")
			x.Text("OutputKey", o.Name)
			x.Text("OutputValue", o.Value)
			x.Optional("Description", o.Description)
			x.Optional("ExportName", o.Export)
			x.Close("member")
		}
		x.Close("Outputs")
	}
	x.Optional("RoleARN", s.Role)
	c.writeTags(s.Tags)
	x.Bool("EnableTerminationProtection", s.Protected)
	x.Open("DriftInformation")
	x.Text("StackDriftStatus", "NOT_CHECKED")
	x.Close("DriftInformation")
	x.Close("member")
	return nil
}

// writeParameters writes a stack's or a change set's parameters.
func (c *call) writeParameters(s *stack.Spec) error {
	if len(s.Parameters) == 0 {
		return nil
	}
	list, err := s.Shown()
	if err != nil {
		return err
	}
	c.out.Open("Parameters")
	for _, p := range list {
		c.out.Open("member")
		c.out.Text("ParameterKey", p.Key)
		c.out.Text("ParameterValue", p.Value)
		c.out.Close("member")
	}
	c.out.Close("Parameters")
	return nil
}

func (c *call) writeStrings(name string, list []string) {
	if len(list) == 0 {
		return
	}
	c.out.Open(name)
	for _, s := range list {
		c.out.Text("member", s)
	}
	c.out.Close(name)
}

func (c *call) writeTags(tags []stack.Tag) {
	c.out.Open("Tags")
	for _, t := range tags {
		c.out.Open("member")
		c.out.Text("Key", t.Key)
		c.out.Text("Value", t.Value)
		c.out.Close("member")
	}
	c.out.Close("Tags")
}

// listStacks is ListStacks: deleted ones, too, unless the filter says otherwise.
func (c *call) listStacks() error {
	if err := c.allow("ListStacks", "*"); err != nil {
		return err
	}
	all, err := c.Stacks.Stacks(c.caller.Account)
	if err != nil {
		return err
	}
	if filter := wire.Members(c.form, "StackStatusFilter"); len(filter) > 0 {
		all = slices.DeleteFunc(all, func(s *stack.Stack) bool { return !slices.Contains(filter, string(s.Status)) })
	}
	list, next, err := page(c, all)
	if err != nil {
		return err
	}
	x := c.out
	x.Open("StackSummaries")
	for _, s := range list {
		x.Open("member")
		x.Text("StackId", s.ID)
		x.Text("StackName", s.Name)
		x.Optional("TemplateDescription", s.Description)
		x.Time("CreationTime", s.Created)
		if !s.Updated.IsZero() {
			x.Time("LastUpdatedTime", s.Updated)
		}
		if !s.Deleted.IsZero() {
			x.Time("DeletionTime", s.Deleted)
		}
		x.Text("StackStatus", string(s.Status))
		x.Optional("StackStatusReason", s.Reason)
		x.Open("DriftInformation")
		x.Text("StackDriftStatus", "NOT_CHECKED")
		x.Close("DriftInformation")
		x.Close("member")
	}
	x.Close("StackSummaries")
	x.Optional("NextToken", next)
	return nil
}

// describeEvents is DescribeStackEvents, newest first.
func (c *call) describeEvents() error {
	name, err := c.need("StackName")
	if err != nil {
		return err
	}
	if err := c.allow("DescribeStackEvents", name); err != nil {
		return err
	}
	events, next, err := c.Stacks.Events(c.caller.Account, name, c.form.Get("NextToken"), pageSize)
	if err != nil {
		return err
	}
	x := c.out
	x.Open("StackEvents")
	for i := range events {
		ev := &events[i]
		x.Open("member")
		x.Text("StackId", ev.StackID)
		x.Text("EventId", ev.ID)
		x.Text("StackName", ev.StackName)
		x.Text("LogicalResourceId", ev.Name)
		x.Text("PhysicalResourceId", ev.Physical)
		x.Text("ResourceType", ev.Type)
		x.Time("Timestamp", ev.Time)
		x.Text("ResourceStatus", string(ev.Status))
		x.Optional("ResourceStatusReason", ev.Reason)
		x.Optional("ResourceProperties", string(ev.Properties))
		x.Optional("ClientRequestToken", ev.Token)
		x.Close("member")
	}
	x.Close("StackEvents")
	x.Optional("NextToken", next)
	return nil
}
