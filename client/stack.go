package client

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Stack is a CloudFormation stack.
type Stack struct {
	Name, ID     string
	Status       string // "CREATE_COMPLETE", ...
	Reason       string // why it has that status
	Created      time.Time
	Parameters   map[string]string
	Outputs      map[string]string
	Capabilities []string
}

// InProgress reports whether something is still happening to the stack.
func (s *Stack) InProgress() bool { return strings.HasSuffix(s.Status, "_IN_PROGRESS") }

// Template is what to make a stack of.
type Template struct {
	Body       string // JSON or YAML
	Parameters map[string]string
	// Previous names the parameters of an update that keep their values.
	Previous     []string
	Capabilities []string // "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"
}

func (t *Template) form(stack string) form {
	f := form{"StackName": stack, "TemplateBody": t.Body}
	n := 0
	add := func(key, field, value string) {
		n++
		p := "Parameters.member." + strconv.Itoa(n) + "."
		f[p+"ParameterKey"], f[p+field] = key, value
	}
	for _, key := range slices.Sorted(maps.Keys(t.Parameters)) {
		add(key, "ParameterValue", t.Parameters[key])
	}
	for _, key := range t.Previous {
		add(key, "UsePreviousValue", "true")
	}
	f.members("Capabilities", t.Capabilities)
	return f
}

// CreateStack begins to create a stack and returns its id.
func (c *Client) CreateStack(ctx context.Context, name string, t Template) (id string, err error) {
	var answer struct {
		ID string `xml:"CreateStackResult>StackId"`
	}
	err = c.query(ctx, serviceCloudFormation, "CreateStack", t.form(name), &answer)
	return answer.ID, err
}

// UpdateStack begins to update a stack and returns its id. Error if nothing
// would change: Invalid, ValidationError "No updates are to be performed."
func (c *Client) UpdateStack(ctx context.Context, name string, t Template) (id string, err error) {
	var answer struct {
		ID string `xml:"UpdateStackResult>StackId"`
	}
	err = c.query(ctx, serviceCloudFormation, "UpdateStack", t.form(name), &answer)
	return answer.ID, err
}

// DeleteStack begins to delete a stack; one that does not exist is no error.
func (c *Client) DeleteStack(ctx context.Context, name string) error {
	return c.query(ctx, serviceCloudFormation, "DeleteStack", form{"StackName": name}, nil)
}

// DescribeStacks describes one stack, by name or id, or all if name is "".
// Error if the one does not exist: NotFound, ValidationError.
func (c *Client) DescribeStacks(ctx context.Context, name string) ([]Stack, error) {
	type stack struct {
		StackName                      string
		ID                             string `xml:"StackId"`
		StackStatus, StackStatusReason string
		CreationTime                   time.Time
		Parameters                     []struct{ ParameterKey, ParameterValue string } `xml:"Parameters>member"`
		Outputs                        []struct{ OutputKey, OutputValue string }       `xml:"Outputs>member"`
		Capabilities                   []string                                        `xml:"Capabilities>member"`
	}
	var list []Stack
	for token := ""; ; {
		var answer struct {
			Stacks []stack `xml:"DescribeStacksResult>Stacks>member"`
			Next   string  `xml:"DescribeStacksResult>NextToken"`
		}
		f := form{"StackName": name, "NextToken": token}
		if err := c.query(ctx, serviceCloudFormation, "DescribeStacks", f, &answer); err != nil {
			return nil, err
		}
		for _, s := range answer.Stacks {
			out := Stack{
				Name: s.StackName, ID: s.ID, Status: s.StackStatus, Reason: s.StackStatusReason, Created: s.CreationTime,
				Parameters: map[string]string{}, Outputs: map[string]string{}, Capabilities: s.Capabilities,
			}
			for _, p := range s.Parameters {
				out.Parameters[p.ParameterKey] = p.ParameterValue
			}
			for _, o := range s.Outputs {
				out.Outputs[o.OutputKey] = o.OutputValue
			}
			list = append(list, out)
		}
		if answer.Next == "" || answer.Next == token {
			return list, nil
		}
		token = answer.Next
	}
}

// StackEvent is something that happened to a stack or to a resource of it.
type StackEvent struct {
	ID, StackID  string
	Resource     string // logical id; the stack's name for the stack itself
	PhysicalID   string
	Type         string // "AWS::S3::Bucket"
	Status       string // "CREATE_FAILED", ...
	Reason       string
	Time         time.Time
	RequestToken string
}

// DescribeStackEvents returns a page of a stack's events, the newest first,
// and the token of the next page, "" on the last.
func (c *Client) DescribeStackEvents(ctx context.Context, stack, token string) (events []StackEvent, next string, err error) {
	var answer struct {
		Events []struct {
			EventID              string `xml:"EventId"`
			StackID              string `xml:"StackId"`
			LogicalResourceID    string `xml:"LogicalResourceId"`
			PhysicalResourceID   string `xml:"PhysicalResourceId"`
			ResourceType         string
			ResourceStatus       string
			ResourceStatusReason string
			Timestamp            time.Time
			ClientRequestToken   string
		} `xml:"DescribeStackEventsResult>StackEvents>member"`
		Next string `xml:"DescribeStackEventsResult>NextToken"`
	}
	f := form{"StackName": stack, "NextToken": token}
	if err := c.query(ctx, serviceCloudFormation, "DescribeStackEvents", f, &answer); err != nil {
		return nil, "", err
	}
	for _, e := range answer.Events {
		events = append(events, StackEvent{
			e.EventID, e.StackID, e.LogicalResourceID, e.PhysicalResourceID, e.ResourceType, e.ResourceStatus,
			e.ResourceStatusReason, e.Timestamp, e.ClientRequestToken,
		})
	}
	return events, answer.Next, nil
}

// StackResource is a resource of a stack.
type StackResource struct {
	Stack      string `xml:"StackName"`
	LogicalID  string `xml:"LogicalResourceId"`
	PhysicalID string `xml:"PhysicalResourceId"`
	Type       string `xml:"ResourceType"`
	Status     string `xml:"ResourceStatus"`
}

// DescribeStackResources returns the resources of a stack, by name or id, or if
// stack is "" of the stack that has a physical resource, by its id. Error if
// there is none: NotFound, ValidationError.
func (c *Client) DescribeStackResources(ctx context.Context, stack, physical string) ([]StackResource, error) {
	var answer struct {
		Resources []StackResource `xml:"DescribeStackResourcesResult>StackResources>member"`
	}
	err := c.query(ctx, serviceCloudFormation, "DescribeStackResources", form{"StackName": stack, "PhysicalResourceId": physical}, &answer)
	return answer.Resources, err
}

// GetTemplate returns the template of a stack as it was given, by name or id.
func (c *Client) GetTemplate(ctx context.Context, stack string) (string, error) {
	var answer struct {
		Body string `xml:"GetTemplateResult>TemplateBody"`
	}
	err := c.query(ctx, serviceCloudFormation, "GetTemplate", form{"StackName": stack}, &answer)
	return answer.Body, err
}

// Validation is what a template declares.
type Validation struct {
	Description  string
	Parameters   []string // names
	Capabilities []string // that a stack of it needs
}

// ValidateTemplate checks a template. Error: Invalid, ValidationError.
func (c *Client) ValidateTemplate(ctx context.Context, body string) (*Validation, error) {
	var answer struct {
		Result struct {
			Description  string
			Parameters   []string `xml:"Parameters>member>ParameterKey"`
			Capabilities []string `xml:"Capabilities>member"`
		} `xml:"ValidateTemplateResult"`
	}
	if err := c.query(ctx, serviceCloudFormation, "ValidateTemplate", form{"TemplateBody": body}, &answer); err != nil {
		return nil, err
	}
	return &Validation{answer.Result.Description, answer.Result.Parameters, answer.Result.Capabilities}, nil
}

// ChangeSet is a set of changes to a stack that was made and not yet carried
// out.
type ChangeSet struct {
	Name, ID, StackID string
	Status            string // "CREATE_COMPLETE", "FAILED", ...
	Reason            string
	Changes           []Change
}

// Change is what a change set does to one resource.
type Change struct {
	Action      string // "Add", "Modify", "Remove"
	Resource    string // logical id
	PhysicalID  string
	Type        string
	Replacement string // "True", "False", "Conditional", or ""
}

// CreateChangeSet begins to make a change set and returns its id. Create is
// for a stack that does not exist yet.
func (c *Client) CreateChangeSet(ctx context.Context, stack, name string, create bool, t Template) (id string, err error) {
	f := t.form(stack)
	f["ChangeSetName"], f["ChangeSetType"] = name, "UPDATE"
	if create {
		f["ChangeSetType"] = "CREATE"
	}
	var answer struct {
		ID string `xml:"CreateChangeSetResult>Id"`
	}
	err = c.query(ctx, serviceCloudFormation, "CreateChangeSet", f, &answer)
	return answer.ID, err
}

// DescribeChangeSet describes a change set, by name or id.
func (c *Client) DescribeChangeSet(ctx context.Context, stack, name string) (*ChangeSet, error) {
	var answer struct {
		Result struct {
			ChangeSetName string
			ID            string `xml:"ChangeSetId"`
			StackID       string `xml:"StackId"`
			Status        string
			StatusReason  string
			Changes       []struct {
				Action             string `xml:"ResourceChange>Action"`
				LogicalResourceID  string `xml:"ResourceChange>LogicalResourceId"`
				PhysicalResourceID string `xml:"ResourceChange>PhysicalResourceId"`
				ResourceType       string `xml:"ResourceChange>ResourceType"`
				Replacement        string `xml:"ResourceChange>Replacement"`
			} `xml:"Changes>member"`
		} `xml:"DescribeChangeSetResult"`
	}
	f := form{"StackName": stack, "ChangeSetName": name}
	if err := c.query(ctx, serviceCloudFormation, "DescribeChangeSet", f, &answer); err != nil {
		return nil, err
	}
	r := answer.Result
	set := &ChangeSet{Name: r.ChangeSetName, ID: r.ID, StackID: r.StackID, Status: r.Status, Reason: r.StatusReason}
	for _, ch := range r.Changes {
		set.Changes = append(set.Changes, Change{ch.Action, ch.LogicalResourceID, ch.PhysicalResourceID, ch.ResourceType, ch.Replacement})
	}
	return set, nil
}

// ExecuteChangeSet begins to carry out a change set.
func (c *Client) ExecuteChangeSet(ctx context.Context, stack, name string) error {
	f := form{"StackName": stack, "ChangeSetName": name}
	return c.query(ctx, serviceCloudFormation, "ExecuteChangeSet", f, nil)
}
