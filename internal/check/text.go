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
	part := ""
	for i := range lines {
		l := &lines[i]
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

// WriteTemplates writes the plans as CloudFormation templates, one YAML
// document for each account, with what no template can do as comments.
func (r *Report) WriteTemplates(out io.Writer) error {
	var b strings.Builder
	if len(r.Plans) == 0 {
		b.WriteString("# Nothing has to change.\n")
	}
	for i := range r.Plans {
		if i > 0 {
			b.WriteString("---\n")
		}
		b.WriteString(r.Plans[i].String())
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// write writes all that has to change in an account, piece by piece.
func (p *Plan) write(b *strings.Builder) {
	fmt.Fprintf(b, "\nto change in account %s, as CloudFormation resources:\n", p.Account)
	for _, c := range p.Changes {
		note := ""
		if !c.New {
			note = ", which is there: change it in its template"
		}
		fmt.Fprintf(b, "  # %s%s\n", c.Document, note)
		for line := range strings.Lines(c.CloudFormation) {
			fmt.Fprintf(b, "  %s", line)
		}
		fmt.Fprintf(b, "  # or: %s\n", c.Command)
	}
}

// String returns a plan as a template, with what no new stack can do as
// commands in comments.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Account %s\n", p.Account)
	if p.Template != "" {
		b.WriteString("# Deploy this as a new stack: aws cloudformation deploy --capabilities CAPABILITY_NAMED_IAM --stack-name NAME --template-file FILE\n")
	}
	if commands := p.Commands(); commands != nil {
		if p.Template != "" {
			b.WriteString("# Then change what is there already, which a new stack cannot:\n")
		} else {
			b.WriteString("# A new stack cannot change what is there already; these can:\n")
		}
		for _, c := range commands {
			fmt.Fprintf(&b, "#   %s\n", c)
		}
	}
	b.WriteString(p.Template)
	return b.String()
}
