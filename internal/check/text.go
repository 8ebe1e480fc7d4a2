package check

import (
	"fmt"
	"io"
	"strings"

	"twinbucket/policy"
)

// Write writes the report for people.
func (r *Report) Write(out io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "s3://%s of account %s\n", r.Bucket, r.Account)
	writeLines(&b, r.Lines, r.Plans)
	fmt.Fprintf(&b, "\n%d ok, %d refused, %d unknown\n", r.Count(OK), r.Count(Refused), r.Count(Unknown))
	_, err := io.WriteString(out, b.String())
	return err
}

func writeLines(b *strings.Builder, lines []Line, todo []Plan) {
	part, reason := "", ""
	for i := range lines {
		l := lines[i]
		if l.Status == Unknown && l.Reason == reason {
			l.Reason = "for the same reason"
		} else {
			reason = l.Reason
		}
		if l.Part != part {
			part = l.Part
			fmt.Fprintf(b, "\n%s\n", part)
		}
		l.write(b)
	}
	for i := range todo {
		todo[i].write(b)
	}
}

// Write writes the explanation for people.
func (x *Explanation) Write(out io.Writer) error {
	var b strings.Builder
	what := "version"
	if x.Marker {
		what = "delete marker"
	}
	status := string(x.Status)
	if status == "" {
		status = "none"
	}
	fmt.Fprintf(&b, "s3://%s/%s, %s %s, of account %s\n\n", x.Bucket, x.Key, what, x.VersionID, x.Account)
	fmt.Fprintf(&b, "replication status: %s\n", status)
	for _, c := range x.Conclusions {
		fmt.Fprintf(&b, "- %s\n", c)
	}
	if x.Rules != nil {
		b.WriteString("\nrules\n")
	}
	for _, r := range x.Rules {
		verdict := "takes it"
		if !r.Selected {
			verdict = "does not: " + r.Why
		}
		fmt.Fprintf(&b, "  %q to %s: %s\n", r.ID, r.Destination, verdict)
	}
	if x.Copies != nil {
		b.WriteString("\ncopies\n")
	}
	for _, p := range x.Copies {
		fmt.Fprintf(&b, "  %s: %s\n", p.Bucket, p.Presence)
	}
	if x.History != nil {
		b.WriteString("\nwhat happened\n")
	}
	for _, e := range x.History {
		fmt.Fprintf(&b, "  %s  %s\n", e.Time.UTC().Format("2006-01-02T15:04:05.000Z"), e.What)
	}
	writeLines(&b, x.Lines, x.Plans)
	_, err := io.WriteString(out, b.String())
	return err
}

const indent = "           "

func (l *Line) write(b *strings.Builder) {
	fmt.Fprintf(b, "  %-8s %s\n", l.Status, l.What)
	if l.Reason != "" {
		fmt.Fprintf(b, "%s%s\n", indent, l.Reason)
	}
	if l.Status == Refused && l.Code != "" {
		fmt.Fprintf(b, "%sAWS then says: %s\n", indent, l.Code)
	}
	for _, g := range l.Grounds {
		sid := ""
		if g.Sid != "" {
			sid = " (" + g.Sid + ")"
		}
		how := "allowed by"
		if g.Effect == policy.Deny.String() {
			how = "denied by"
		}
		fmt.Fprintf(b, "%s%s statement %d%s of %s, account %s\n", indent, how, g.Number, sid, g.Document, g.Account)
	}
	for _, f := range l.Fixes {
		f.write(b)
	}
}

func (f *Fix) write(b *strings.Builder) {
	what := map[Do]string{
		Add: "add to %s:", Change: "change the statement of %s to:", Remove: "remove the statement from %s:", Create: "create %s", Set: "set %s",
	}[f.Do]
	fmt.Fprintf(b, "%sfix, in account %s: "+what+"\n", indent, f.Account, f.Document)
	text := f.Statement
	if f.Do == Remove {
		text = f.Was
	}
	if text != nil {
		fmt.Fprintf(b, "%s  %s\n", indent, text)
	}
}

// WriteTemplates writes the plans as CloudFormation templates, each a YAML
// document of its own, with what no template can do as comments.
func (r *Report) WriteTemplates(out io.Writer) error {
	var texts []string
	for i := range r.Plans {
		for _, d := range r.Plans[i].Documents() {
			texts = append(texts, d.Text)
		}
	}
	if texts == nil {
		texts = []string{"# Nothing has to change.\n"}
	}
	_, err := io.WriteString(out, strings.Join(texts, "---\n"))
	return err
}

// write writes all that has to change in an account, piece by piece.
func (p *Plan) write(b *strings.Builder) {
	fmt.Fprintf(b, "\nto change in account %s, as CloudFormation resources:\n", p.Account)
	for _, c := range p.Changes {
		note := ""
		switch {
		case c.Stack != "":
			note = ", in stack " + c.Stack + ": --fix prints its template, changed"
		case !c.New:
			note = ", which is there already"
		}
		fmt.Fprintf(b, "  # %s%s\n", c.Document, note)
		for line := range strings.Lines(c.CloudFormation) {
			fmt.Fprintf(b, "  %s", line)
		}
		fmt.Fprintf(b, "  # or: %s\n", c.Command)
	}
}

// Document is a template to deploy, with a comment that says how.
type Document struct {
	Name string // of its file, without an extension
	Text string
}

// Documents returns the templates of a plan, and what none of them can do as
// commands in comments.
func (p *Plan) Documents() []Document {
	deploy := func(region, stack string) string {
		if region != "" {
			region = " --region " + region
		}
		return "aws cloudformation deploy --capabilities CAPABILITY_NAMED_IAM" + region + " --template-file FILE --stack-name " + stack + "\n"
	}
	var out []Document
	if p.Template != "" {
		out = append(out, Document{p.Account, "# Account " + p.Account + ", as a new stack: " + deploy(p.Region, "NAME") + p.Template})
	}
	for _, u := range p.Updates {
		out = append(out, Document{p.Account + "-" + u.Stack, "# Account " + p.Account + ", stack " + u.Stack + ": " + deploy(u.Region, u.Stack) + u.Template})
	}
	commands := p.Commands()
	if commands == nil {
		return out
	}
	if out == nil {
		out = []Document{{Name: p.Account}}
	}
	last := &out[len(out)-1]
	last.Text += "# Account " + p.Account + ", in no stack:\n"
	for _, c := range commands {
		last.Text += "#   " + c + "\n"
	}
	return out
}
