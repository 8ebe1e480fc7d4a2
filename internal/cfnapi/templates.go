package cfnapi

import (
	"slices"
	"strings"

	"twinbucket/internal/stack"
	"twinbucket/template"
)

// getTemplate is GetTemplate, of a stack or of a change set.
func (c *call) getTemplate() error {
	body := ""
	if set := c.form.Get("ChangeSetName"); set != "" {
		found, err := c.changeSet("GetTemplate", set)
		if err != nil {
			return err
		}
		body = found.Template
	} else {
		s, err := c.stackFor("GetTemplate")
		if err != nil {
			return err
		}
		body = s.Template
	}
	c.out.Text("TemplateBody", body)
	c.writeStrings("StagesAvailable", []string{"Original", "Processed"})
	return nil
}

// validateTemplate is ValidateTemplate.
func (c *call) validateTemplate() error {
	if err := c.allow("ValidateTemplate", "*"); err != nil {
		return err
	}
	body, err := c.needTemplate(c.r.Context())
	if err != nil {
		return err
	}
	t, err := stack.Validate(body)
	if err != nil {
		return err
	}
	x := c.out
	x.Open("Parameters")
	for _, p := range t.Parameters {
		x.Open("member")
		x.Text("ParameterKey", p.Name)
		if p.Default != nil {
			x.Text("DefaultValue", *p.Default)
		}
		x.Bool("NoEcho", p.NoEcho)
		x.Optional("Description", p.Description)
		x.Close("member")
	}
	x.Close("Parameters")
	x.Optional("Description", t.Description)
	c.writeCapabilities(t)
	return nil
}

func (c *call) writeCapabilities(t *template.Template) {
	if need, reason := t.Capability(); need != "" {
		c.writeStrings("Capabilities", []string{need})
		c.out.Text("CapabilitiesReason", reason)
	}
}

// getTemplateSummary is GetTemplateSummary, of a template or of a stack's.
func (c *call) getTemplateSummary() error {
	if err := c.refuse("StackSetName", "CallAs"); err != nil {
		return err
	}
	body := ""
	if name := c.form.Get("StackName"); name != "" {
		s, err := c.stackFor("GetTemplateSummary")
		if err != nil {
			return err
		}
		body = s.Template
	} else {
		err := c.allow("GetTemplateSummary", "*")
		if err != nil {
			return err
		}
		if body, err = c.needTemplate(c.r.Context()); err != nil {
			return err
		}
	}
	t, err := template.Parse([]byte(body))
	if err != nil {
		return err
	}
	c.writeSummary(t)
	return nil
}

func (c *call) writeSummary(t *template.Template) {
	x := c.out
	x.Open("Parameters")
	for _, p := range t.Parameters {
		x.Open("member")
		x.Text("ParameterKey", p.Name)
		if p.Default != nil {
			x.Text("DefaultValue", *p.Default)
		}
		x.Text("ParameterType", p.Type)
		x.Bool("NoEcho", p.NoEcho)
		x.Optional("Description", p.Description)
		x.Open("ParameterConstraints")
		c.writeStrings("AllowedValues", p.AllowedValues)
		x.Close("ParameterConstraints")
		x.Close("member")
	}
	x.Close("Parameters")
	x.Optional("Description", t.Description)
	c.writeCapabilities(t)
	var types []string
	for _, r := range t.Resources {
		if !slices.Contains(types, r.Type) {
			types = append(types, r.Type)
		}
	}
	c.writeStrings("ResourceTypes", types)
	x.Text("Version", template.FormatVersion)
	if len(t.Metadata) > 0 {
		x.Text("Metadata", string(template.JSON(t.Metadata)))
	}
	x.Open("ResourceIdentifierSummaries")
	for _, typ := range types {
		x.Open("member")
		x.Text("ResourceType", typ)
		var names []string
		for _, r := range t.Resources {
			if r.Type == typ {
				names = append(names, r.Name)
			}
		}
		c.writeStrings("LogicalResourceIds", names)
		c.writeStrings("ResourceIdentifiers", identifiers(typ))
		x.Close("member")
	}
	x.Close("ResourceIdentifierSummaries")
}

// identifiers returns the properties that name a resource of a type.
func identifiers(typ string) []string {
	switch typ {
	case "AWS::S3::Bucket":
		return []string{"BucketName"}
	case "AWS::S3::BucketPolicy":
		return []string{"Bucket"}
	case "AWS::IAM::ManagedPolicy":
		return []string{"PolicyArn"}
	}
	return []string{strings.TrimPrefix(typ, "AWS::IAM::") + "Name"}
}
