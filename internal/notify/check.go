package notify

import (
	"context"
	"fmt"
	"slices"

	"twinbucket/bucket"
	"twinbucket/fault"
	"twinbucket/internal/event"
	"twinbucket/setting"
)

// what S3 says of a destination that is not there.
var missing = map[string]string{
	"Queue":         "The destination queue does not exist",
	"Topic":         "The destination topic does not exist",
	"CloudFunction": "The destination Lambda function does not exist",
}

// Check reports, as AWS does, the destinations of a notification document for
// which no target stands, and sends those that b has not told of anything yet a
// test event, which they have to take.
func (e *Engine) Check(ctx context.Context, b *bucket.Bucket, d *setting.Document) error {
	notices, err := d.Notices()
	if err != nil {
		return err
	}
	known := map[string]bool{}
	if old, err := setting.Parse(bucket.Notification, b.Documents[bucket.Notification]); err == nil {
		before, _ := old.Notices()
		for _, n := range before {
			known[n.ARN] = true
		}
	}
	origin := event.From(ctx)
	origin.Time = e.Now()
	refused := fault.New(fault.Invalid, "InvalidArgument", "Unable to validate the following destination configurations")
	hint, asked := "", []string{}
	for _, n := range notices {
		if slices.Contains(asked, n.ARN) {
			continue
		}
		asked = append(asked, n.ARN)
		why := ""
		target, stands := e.Targets[n.ARN]
		switch {
		case !stands:
			why = missing[n.Kind]
			hint = fmt.Sprintf("no target stands for %s: start the server with --event-target %s=URL, or send x-amz-skip-destination-validation: true", n.ARN, n.ARN)
		case !known[n.ARN]:
			if err := e.test(ctx, target, b.Name, n.ARN, origin); err != nil {
				why = "The destination could not be reached"
				hint = fmt.Sprintf("the target of %s did not take the test event: %v", n.ARN, err)
			}
		}
		if why != "" {
			i := len(refused.Details)/2 + 1
			refused.With(fmt.Sprint("ArgumentName", i), n.ARN).With(fmt.Sprint("ArgumentValue", i), why)
		}
	}
	if len(refused.Details) == 0 {
		return nil
	}
	return refused.WithHint("%s", hint)
}

// test sends a target the event by which S3 sees that it is there.
func (e *Engine) test(ctx context.Context, target Target, name, id string, o event.Origin) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return target.Send(ctx, id+"/test/"+o.Request, event.Test(name, o))
}
