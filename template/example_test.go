package template_test

import (
	"fmt"

	"twinbucket/template"
)

// names answers for resources that do not exist yet.
type names struct{}

func (names) Ref(resource string) (string, error)       { return resource, nil }
func (names) Attribute(resource, _ string) (any, error) { return "arn:aws:s3:::" + resource, nil }
func (names) Import(name string) (string, error)        { return name, nil }

func ExampleParse() {
	t, err := template.Parse([]byte(`
Parameters:
  Stage: {Type: String, AllowedValues: [test, live]}
Resources:
  Copy:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "copy-${Stage}-${AWS::AccountId}"
Outputs:
  Arn: {Value: !GetAtt Copy.Arn}
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	env := template.Environment{Account: "111111111111", Region: "us-east-1", StackName: "copies"}
	scope, err := t.Bind(map[string]string{"Stage": "test"}, env)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range scope.Resources() {
		p, _ := scope.Properties(r, names{})
		fmt.Println(r.Name, r.Type, p["BucketName"])
	}
	outputs, _ := scope.Outputs(names{})
	fmt.Println(outputs[0].Name, outputs[0].Value)
	// Output:
	// Copy AWS::S3::Bucket copy-test-111111111111
	// Arn arn:aws:s3:::Copy
}
