package cfnapi

import (
	"twinbucket/fault"
	"twinbucket/internal/stack"
)

// createChangeSet is CreateChangeSet.
func (c *call) createChangeSet() error {
	name, err := c.need("ChangeSetName")
	if err != nil {
		return err
	}
	in, err := c.input("ClientToken")
	if err != nil {
		return err
	}
	c.know("cloudformation:changesetname", name)
	if err := c.allow("CreateChangeSet", in.Name); err != nil {
		return err
	}
	if in.Template, err = c.template(c.r.Context()); err != nil {
		return err
	}
	in.OnFailure = c.form.Get("OnStackFailure")
	set, err := c.Stacks.CreateChangeSet(c.r.Context(), c.caller, stack.SetInput{
		Input: in, ChangeSet: name, Type: c.form.Get("ChangeSetType"), Description: c.form.Get("Description"),
	})
	if err != nil {
		return err
	}
	c.out.Text("Id", set.ID)
	c.out.Text("StackId", set.StackID)
	return nil
}

// changeSet returns the change set called name of the request's stack after
// asking for an action on the stack.
func (c *call) changeSet(action, name string) (*stack.ChangeSet, error) {
	target := c.form.Get("StackName")
	set, err := c.Stacks.ChangeSet(c.caller.Account, target, name)
	if err == nil {
		// Named by its ARN it is the same one.
		target = set.StackID
		c.know("cloudformation:changesetname", set.Name)
	}
	if target != "" {
		if err := c.allow(action, target); err != nil {
			return nil, err
		}
	}
	return set, err
}

// describeChangeSet is DescribeChangeSet.
func (c *call) describeChangeSet() error {
	name, err := c.need("ChangeSetName")
	if err != nil {
		return err
	}
	set, err := c.changeSet("DescribeChangeSet", name)
	if err != nil {
		return err
	}
	changes, next, err := page(c, set.Changes)
	if err != nil {
		return err
	}
	c.writeSet(set)
	if err := c.writeParameters(&set.Spec); err != nil {
		return err
	}
	x := c.out
	c.writeStrings("Capabilities", set.Capabilities)
	c.writeTags(set.Tags)
	x.Open("NotificationARNs")
	x.Close("NotificationARNs")
	x.Open("RollbackConfiguration")
	x.Close("RollbackConfiguration")
	x.Optional("OnStackFailure", set.OnFailure)
	x.Open("Changes")
	for i := range changes {
		c.writeChange(&changes[i])
	}
	x.Close("Changes")
	x.Optional("NextToken", next)
	return nil
}

// writeSet writes what DescribeChangeSet and ListChangeSets both show.
func (c *call) writeSet(set *stack.ChangeSet) {
	x := c.out
	x.Text("StackId", set.StackID)
	x.Text("StackName", set.StackName)
	x.Text("ChangeSetId", set.ID)
	x.Text("ChangeSetName", set.Name)
	x.Text("ExecutionStatus", set.Execution)
	x.Text("Status", set.Status)
	x.Optional("StatusReason", set.Reason)
	x.Time("CreationTime", set.Created)
	x.Optional("Description", set.Description)
	x.Bool("IncludeNestedStacks", false)
}

func (c *call) writeChange(ch *stack.Change) {
	x := c.out
	x.Open("member")
	x.Text("Type", "Resource")
	x.Open("ResourceChange")
	x.Text("Action", ch.Action)
	x.Text("LogicalResourceId", ch.Name)
	x.Optional("PhysicalResourceId", ch.Physical)
	x.Text("ResourceType", ch.Type)
	x.Optional("Replacement", ch.Replacement)
	x.Open("Scope")
	for _, s := range ch.Scope {
		x.Text("member", s)
	}
	x.Close("Scope")
	x.Open("Details")
	for _, d := range ch.Details {
		x.Open("member")
		x.Open("Target")
		x.Text("Attribute", d.Attribute)
		x.Optional("Name", d.Name)
		x.Text("RequiresRecreation", d.Recreation)
		x.Close("Target")
		evaluation, source := "Static", "DirectModification"
		if d.Dynamic {
			evaluation, source = "Dynamic", "ResourceReference"
		}
		x.Text("Evaluation", evaluation)
		x.Text("ChangeSource", source)
		x.Close("member")
	}
	x.Close("Details")
	x.Close("ResourceChange")
	x.Close("member")
}

// executeChangeSet is ExecuteChangeSet.
func (c *call) executeChangeSet() error {
	name, err := c.need("ChangeSetName")
	if err != nil {
		return err
	}
	if err := c.refuse("RetainExceptOnCreate"); err != nil {
		return err
	}
	in := stack.Execution{Stack: c.form.Get("StackName"), ChangeSet: name, Token: c.form.Get("ClientRequestToken")}
	if in.DisableRollback, err = c.truth("DisableRollback"); err != nil {
		return err
	}
	set, err := c.changeSet("ExecuteChangeSet", name)
	if err != nil {
		return err
	}
	if err := c.Stacks.Execute(c.r.Context(), c.caller, in); err != nil {
		return err
	}
	c.linger(set.StackID)
	return nil
}

// deleteChangeSet is DeleteChangeSet; a change set that is gone is no error.
func (c *call) deleteChangeSet() error {
	name, err := c.need("ChangeSetName")
	if err != nil {
		return err
	}
	_, err = c.changeSet("DeleteChangeSet", name)
	if fault.CodeOf(err) == "ChangeSetNotFound" {
		return nil
	}
	if err != nil {
		return err
	}
	return c.Stacks.DeleteChangeSet(c.r.Context(), c.caller.Account, c.form.Get("StackName"), name)
}

// listChangeSets is ListChangeSets.
func (c *call) listChangeSets() error {
	s, err := c.stackFor("ListChangeSets")
	if err != nil {
		return err
	}
	all, err := c.Stacks.ChangeSets(c.caller.Account, s.ID)
	if err != nil {
		return err
	}
	list, next, err := page(c, all)
	if err != nil {
		return err
	}
	c.out.Open("Summaries")
	for _, set := range list {
		c.out.Open("member")
		c.writeSet(set)
		c.out.Close("member")
	}
	c.out.Close("Summaries")
	c.out.Optional("NextToken", next)
	return nil
}
