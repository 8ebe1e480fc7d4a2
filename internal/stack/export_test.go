package stack

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"twinbucket/fault"
)

// exporting is a template that exports a bucket's name as name.
func exporting(bucket, name string) string {
	return fmt.Sprintf("Resources: {B: {Type: AWS::S3::Bucket, Properties: {BucketName: %s}}}\nOutputs: {Name: {Value: !Ref B, Export: {Name: !Sub '%s'}}}", bucket, name)
}

// importing is a template with a bucket whose tag is an import.
func importing(export string) string {
	return fmt.Sprintf("Parameters: {P: {Type: String, Default: net}}\nResources: {C: {Type: AWS::S3::Bucket, Properties: {Tags: [{Key: from, Value: {'Fn::ImportValue': !Sub '%s'}}]}}}\nOutputs: {V: {Value: !ImportValue net-bucket}}", export)
}

func TestExports(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	refused := func(err error, message string) {
		t.Helper()
		if fault.CodeOf(err) != "ValidationError" || fault.MessageOf(err) != message {
			t.Errorf("%v, want %q", err, message)
		}
	}
	_, err := e.Create(t.Context(), root(source), Input{Name: "app", Template: importing("${P}-bucket")})
	refused(err, "No export named net-bucket found.")
	_, err = e.Importers(source, "net-bucket")
	refused(err, "Export 'net-bucket' is not imported by any stack.")

	net := e.create(source, "net", exporting("first-bucket", "${AWS::StackName}-bucket"))
	e.want(net, CreateComplete, "")
	app := e.create(source, "app", importing("${P}-bucket"))
	e.want(app, CreateComplete, "")
	if app.Outputs[0].Value != "first-bucket" {
		t.Errorf("%+v", app.Outputs)
	}
	if x, err := e.Exports(source); err != nil || !slices.Equal(x, []Export{{net.ID, "net-bucket", "first-bucket"}}) {
		t.Errorf("%+v, %v", x, err)
	}
	if names, err := e.Importers(source, "net-bucket"); err != nil || !slices.Equal(names, []string{"app"}) {
		t.Errorf("%v, %v", names, err)
	}

	// Names are one account's own, and taken once there.
	_, err = e.Create(t.Context(), root(destination), Input{Name: "app", Template: importing("net-bucket")})
	refused(err, "No export named net-bucket found.")
	e.want(e.create(destination, "net", exporting("third-bucket", "net-bucket")), CreateComplete, "")
	e.want(e.create(source, "again", exporting("other-bucket", "net-bucket")), RollbackComplete, "")

	// What is imported stays as it is.
	e.want(e.update(source, "net", exporting("second-bucket", "net-bucket")), UpdateRollbackComplete, "")
	e.want(e.update(source, "net", exporting("first-bucket", "renamed")), UpdateRollbackComplete, "")
	refused(e.Delete(t.Context(), root(source), Deletion{Name: "net"}), "Delete canceled. Cannot delete export net-bucket as it is in use by app.")
	e.bucket("first-bucket")

	e.want(e.update(source, "app", "Resources: {C: {Type: AWS::S3::Bucket}}"), UpdateComplete, "")
	if x, err := e.Exports(source); err != nil || len(x) != 1 {
		t.Errorf("%+v, %v", x, err)
	}
	e.want(e.remove(source, "net"), DeleteComplete, "")
	if x, err := e.Exports(source); err != nil || len(x) != 0 {
		t.Errorf("%+v, %v", x, err)
	}
}

func TestExportReasons(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	e.want(e.create(source, "net", exporting("first-bucket", "net-bucket")), CreateComplete, "")
	e.want(e.create(source, "app", importing("net-bucket")), CreateComplete, "")
	for _, tt := range []struct {
		stack *Stack
		want  string
	}{
		{e.create(source, "again", exporting("other-bucket", "net-bucket")), "ROLLBACK_IN_PROGRESS: Export with name net-bucket is already exported by stack net. Rollback requested by user.\n"},
		{e.update(source, "net", exporting("second-bucket", "net-bucket")), "UPDATE_ROLLBACK_IN_PROGRESS: Export net-bucket cannot be updated as it is in use by app\n"},
		{e.update(source, "net", exporting("first-bucket", "renamed")), "UPDATE_ROLLBACK_IN_PROGRESS: Export net-bucket cannot be deleted as it is in use by app\n"},
	} {
		if got := e.story(tt.stack); !strings.Contains(got, "(stack) "+tt.want) {
			t.Errorf("%s\nlacks %s", got, tt.want)
		}
	}
}
