package cfnapi

// listExports is ListExports: what the stacks of the account export.
func (c *call) listExports() error {
	if err := c.allow("ListExports", "*"); err != nil {
		return err
	}
	all, err := c.Stacks.Exports(c.caller.Account)
	if err != nil {
		return err
	}
	list, next, err := page(c, all)
	if err != nil {
		return err
	}
	c.out.Open("Exports")
	for _, x := range list {
		c.out.Open("member")
		c.out.Text("ExportingStackId", x.StackID)
		c.out.Text("Name", x.Name)
		c.out.Text("Value", x.Value)
		c.out.Close("member")
	}
	c.out.Close("Exports")
	c.out.Optional("NextToken", next)
	return nil
}

// listImports is ListImports: the names of the stacks that import an export.
func (c *call) listImports() error {
	export, err := c.need("ExportName")
	if err != nil {
		return err
	}
	if err := c.allow("ListImports", "*"); err != nil {
		return err
	}
	all, err := c.Stacks.Importers(c.caller.Account, export)
	if err != nil {
		return err
	}
	list, next, err := page(c, all)
	if err != nil {
		return err
	}
	c.out.Open("Imports")
	for _, name := range list {
		c.out.Text("member", name)
	}
	c.out.Close("Imports")
	c.out.Optional("NextToken", next)
	return nil
}
