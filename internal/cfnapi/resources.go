package cfnapi

import (
	"twinbucket/fault"
	"twinbucket/internal/stack"
)

// stackFor returns the stack of the request after asking for an action on it.
func (c *call) stackFor(action string) (*stack.Stack, error) {
	name, err := c.need("StackName")
	if err != nil {
		return nil, err
	}
	if err := c.allow(action, name); err != nil {
		return nil, err
	}
	return c.Stacks.Stack(c.caller.Account, name)
}

// writeResource writes a resource; timestamp is what its time is called.
func (c *call) writeResource(r *stack.Resource, timestamp string) {
	x := c.out
	x.Text("LogicalResourceId", r.Name)
	x.Optional("PhysicalResourceId", r.Physical)
	x.Text("ResourceType", r.Type)
	x.Time(timestamp, r.Updated)
	x.Text("ResourceStatus", string(r.Status))
	x.Optional("ResourceStatusReason", r.Reason)
	x.Open("DriftInformation")
	x.Text("StackResourceDriftStatus", "NOT_CHECKED")
	x.Close("DriftInformation")
}

// describeResource is DescribeStackResource.
func (c *call) describeResource() error {
	logical, err := c.need("LogicalResourceId")
	if err != nil {
		return err
	}
	s, err := c.stackFor("DescribeStackResource")
	if err != nil {
		return err
	}
	for _, r := range s.Resources {
		if r.Name != logical {
			continue
		}
		c.out.Open("StackResourceDetail")
		c.out.Text("StackName", s.Name)
		c.out.Text("StackId", s.ID)
		c.writeResource(r, "LastUpdatedTimestamp")
		c.out.Optional("Metadata", string(r.Metadata))
		c.out.Close("StackResourceDetail")
		return nil
	}
	return noResource(logical, s.Name)
}

func noResource(logical, name string) error {
	return fault.Newf(fault.NotFound, "ValidationError", "Resource %s does not exist for stack %s", logical, name).On(logical)
}

// describeResources is DescribeStackResources: of a stack, or of the stack
// that a physical resource belongs to.
func (c *call) describeResources() error {
	logical, physical := c.form.Get("LogicalResourceId"), c.form.Get("PhysicalResourceId")
	var s *stack.Stack
	var err error
	switch {
	case c.form.Get("StackName") != "" && physical != "", c.form.Get("StackName") == "" && physical == "":
		return invalid("You must specify either StackName or PhysicalResourceId, but not both.")
	case physical != "":
		s, err = c.owner(physical)
	default:
		s, err = c.stackFor("DescribeStackResources")
	}
	if err != nil {
		return err
	}
	found := false
	c.out.Open("StackResources")
	for _, r := range s.Resources {
		if logical != "" && r.Name != logical {
			continue
		}
		found = true
		c.out.Open("member")
		c.out.Text("StackName", s.Name)
		c.out.Text("StackId", s.ID)
		c.writeResource(r, "Timestamp")
		c.out.Close("member")
	}
	c.out.Close("StackResources")
	if logical != "" && !found {
		return noResource(logical, s.Name)
	}
	return nil
}

// owner returns the stack that made a physical resource.
func (c *call) owner(physical string) (*stack.Stack, error) {
	all, err := c.Stacks.Stacks(c.caller.Account)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		for _, r := range s.Resources {
			if r.Physical == physical && s.Resource(r.Name) == r {
				return s, c.allow("DescribeStackResources", s.ID)
			}
		}
	}
	return nil, fault.Newf(fault.NotFound, "ValidationError", "Stack for %s does not exist", physical).On(physical)
}

// listResources is ListStackResources.
func (c *call) listResources() error {
	s, err := c.stackFor("ListStackResources")
	if err != nil {
		return err
	}
	list, next, err := page(c, s.Resources)
	if err != nil {
		return err
	}
	c.out.Open("StackResourceSummaries")
	for _, r := range list {
		c.out.Open("member")
		c.writeResource(r, "LastUpdatedTimestamp")
		c.out.Close("member")
	}
	c.out.Close("StackResourceSummaries")
	c.out.Optional("NextToken", next)
	return nil
}
