package cfnapi

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"twinbucket/fault"
	"twinbucket/internal/stack"
	"twinbucket/internal/wire"
	"twinbucket/object"
	"twinbucket/template"
)

func invalid(format string, args ...any) *fault.Error {
	return fault.Newf(fault.Invalid, "ValidationError", format, args...)
}

// need returns a parameter that has to be there.
func (c *call) need(name string) (string, error) {
	if v := c.form.Get(name); v != "" {
		return v, nil
	}
	lower := strings.ToLower(name[:1]) + name[1:]
	return "", invalid("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", lower).
		WithHint("add the parameter %s", name)
}

// truth returns a boolean parameter, nil if it is absent.
func (c *call) truth(name string) (*bool, error) {
	text := c.form.Get(name)
	if text == "" {
		return nil, nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return nil, invalid("%s must be true or false", name).On(text)
	}
	return &v, nil
}

// refuse refuses parameters that ask for what is not done here.
func (c *call) refuse(names ...string) error {
	for key, values := range c.form {
		name, _, _ := strings.Cut(key, ".")
		if !slices.Contains(names, name) || len(values) == 0 || values[0] == "" || strings.EqualFold(values[0], "false") {
			continue
		}
		return fault.Newf(fault.Unsupported, "NotImplemented", "The parameter %s is not supported.", name).
			WithHint("leave %s out", name)
	}
	return nil
}

// foreign are the parameters of the operations on stacks that are not offered.
var foreign = []string{
	"DeploymentMode", "ImportExistingResources", "IncludeNestedStacks", "NotificationARNs", "ResourceTypes",
	"ResourcesToImport", "RetainExceptOnCreate", "RollbackConfiguration", "StackPolicyBody", "StackPolicyDuringUpdateBody",
	"StackPolicyDuringUpdateURL", "StackPolicyURL", "TimeoutInMinutes",
}

// input reads what CreateStack, UpdateStack and CreateChangeSet have in common.
func (c *call) input(tokenName string) (stack.Input, error) {
	in := stack.Input{
		Name: c.form.Get("StackName"), Capabilities: wire.Members(c.form, "Capabilities"),
		RoleARN: c.form.Get("RoleARN"), Token: c.form.Get(tokenName),
	}
	if _, err := c.need("StackName"); err != nil {
		return in, err
	}
	if err := c.refuse(foreign...); err != nil {
		return in, err
	}
	for _, p := range wire.Structs(c.form, "Parameters") {
		if p["ParameterKey"] == "" {
			continue // an empty list is sent as Parameters=
		}
		in.Parameters = append(in.Parameters, stack.Parameter{
			Key: p["ParameterKey"], Value: p["ParameterValue"], UsePrevious: strings.EqualFold(p["UsePreviousValue"], "true"),
		})
	}
	if c.form.Has("Tags") {
		in.Tags = []stack.Tag{} // an empty list: the tags are taken away
	}
	var keys []string
	var tags []object.Tag
	for _, t := range wire.Structs(c.form, "Tags") {
		in.Tags = append(in.Tags, stack.Tag{Key: t["Key"], Value: t["Value"]})
		keys, tags = append(keys, t["Key"]), append(tags, object.Tag{Key: t["Key"], Value: t["Value"]})
	}
	maps.Copy(c.context(), object.TagFacts(object.RequestTag, tags))
	c.know("aws:tagkeys", keys...)
	c.know("cloudformation:rolearn", in.RoleARN)
	c.know("cloudformation:templateurl", c.form.Get("TemplateURL"))
	previous, err := c.truth("UsePreviousTemplate")
	if err != nil {
		return in, err
	}
	in.UsePrevious = previous != nil && *previous
	in.DisableRollback, err = c.truth("DisableRollback")
	return in, err
}

// template returns the template of the request, "" if it gives none.
func (c *call) template(ctx context.Context) (string, error) {
	body, address := c.form.Get("TemplateBody"), c.form.Get("TemplateURL")
	switch {
	case body != "" && address != "":
		return "", invalid("Specify either TemplateURL or TemplateBody, but not both.")
	case len(body) > template.MaxBody:
		return "", invalid("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to %d", template.MaxBody).
			WithHint("the template has %d bytes: put it into a bucket and give its TemplateURL (aws cloudformation deploy --s3-bucket)", len(body))
	case address != "":
		return c.fetch(ctx, address)
	}
	return body, nil
}

// needTemplate is template where there has to be one.
func (c *call) needTemplate(ctx context.Context) (string, error) {
	body, err := c.template(ctx)
	if err == nil && body == "" {
		err = invalid("Either Template URL or Template Body must be specified.")
	}
	return body, err
}
