package check

import (
	"encoding/json"
	"testing"

	"go.yaml.in/yaml/v3"
)

// TestAmend lets a Deny in a template spare roles. What is said in functions
// stays as it is, or the template is not touched.
func TestAmend(t *testing.T) {
	t.Parallel()
	const live = `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::b/*","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"2"}}}]}`
	var g []Fix
	for _, role := range []string{"arn:aws:iam::1:role/a", "arn:aws:iam::1:role/b"} {
		was := readDocument(live).Statement[0]
		g = append(g, Fix{Do: Change, Was: was, Statement: spare(was, role), target: target{kind: bucketDocument, text: live}})
	}
	for template, want := range map[string]string{
		"Statement: {Effect: Deny}": `{"Statement":[{"Effect":"Deny","Condition":{"ArnNotEquals":{"aws:PrincipalArn":["arn:aws:iam::1:role/a","arn:aws:iam::1:role/b"]}}}]}`,
		"Statement: [{Effect: Deny, Condition: {StringNotEquals: {x: !Ref A}, ArnNotEquals: {aws:principalarn: c}}}]": `{"Statement":[{"Effect":"Deny","Condition":{` +
			`"ArnNotEquals":{"aws:principalarn":["c","arn:aws:iam::1:role/a","arn:aws:iam::1:role/b"]},"StringNotEquals":{"x":"A"}}}]}`,
		"Statement: [!If [Prod, {Effect: Deny}, !Ref AWS::NoValue]]":                                      "",
		`{"Statement": [{"Fn::If": ["Prod", {"Effect": "Deny"}, {"Ref": "AWS::NoValue"}]}]}`:              "",
		"Statement: [{Effect: Deny, Condition: !If [Prod, {}, {}]}]":                                      "",
		`{"Statement": [{"Effect": "Deny", "Condition": {"Fn::If": ["Prod", {}, {}]}}]}`:                  "",
		"Statement: [{Effect: Deny, Condition: {ArnNotEquals: {aws:PrincipalArn: !Ref Roles}}}]":          "",
		"Statement: [{Effect: Deny, Condition: {ArnNotEquals: {aws:PrincipalArn: !Split [',', Roles]}}}]": "",
		"Statement: [{Effect: Deny}, {Effect: Allow}]":                                                    "",
	} {
		var doc yaml.Node
		if err := yaml.Unmarshal([]byte(template), &doc); err != nil {
			t.Fatal(err)
		}
		before := render(&doc)
		switch ok := amendDocument(doc.Content[0], g); {
		case ok != (want != ""):
			t.Errorf("%s: changed %t:\n%s", template, ok, render(&doc))
		case !ok && render(&doc) != before:
			t.Errorf("%s was changed:\n%s", template, render(&doc))
		case ok:
			var plain struct{ Statement []statement }
			var got any
			if err := doc.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(encode(got), &plain); err != nil || string(encode(plain)) != want {
				t.Errorf("%s became %s, %v", template, encode(plain), err)
			}
		}
	}
}
