package policy

import (
	"fmt"
	"testing"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	statement := func(effect, principal, condition string) string {
		text := fmt.Sprintf(`{"Effect":%q,"Principal":%s,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"`, effect, principal)
		if condition != "" {
			text += `,"Condition":{` + condition + `}`
		}
		return text + "}"
	}
	everybody := func(condition string) string { return statement("Allow", `"*"`, condition) }
	for _, tt := range []struct {
		statement string
		want      bool
	}{
		{everybody(""), true},
		{statement("Allow", `{"AWS":"*"}`, ""), true},
		{statement("Allow", `{"AWS":["111111111111","*"]}`, ""), true},
		{statement("Allow", `{"AWS":"111111111111"}`, ""), false},
		{statement("Allow", `{"AWS":"arn:aws:iam::111111111111:role/r"}`, ""), false},
		{statement("Allow", `{"Service":"logging.s3.amazonaws.com"}`, ""), false},
		{statement("Allow", `{"Federated":"graph.facebook.com"}`, ""), true},
		{statement("Allow", `{"Federated":"graph.facebook.com"}`, `"StringEquals":{"aws:SourceVpc":"vpc-91237329"}`), false},
		{statement("Allow", `{"CanonicalUser":"79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"}`, ""), false},
		{statement("Deny", `"*"`, ""), false},
		// One public statement is enough, and a Deny does not make up for it.
		{"[" + statement("Allow", `{"AWS":"111111111111"}`, "") + "," + everybody("") + "]", true},
		{"[" + statement("Deny", `"*"`, `"Bool":{"aws:SecureTransport":"false"}`) + "," + everybody("") + "]", true},
		{`[{"Effect":"Deny","NotPrincipal":{"AWS":"111111111111"},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}]`, false},
		// Keys that say who or from where.
		{everybody(`"StringEquals":{"aws:PrincipalOrgID":"o-1"}`), false},
		{everybody(`"StringEquals":{"aws:SourceAccount":"111111111111"}`), false},
		{everybody(`"StringEquals":{"aws:SourceAccount":111111111111}`), false},
		{everybody(`"StringEqualsIgnoreCase":{"AWS:sourcevpc":"vpc-91237329"}`), false},
		{everybody(`"StringLike":{"aws:SourceVpc":"vpc-91237329"}`), false},
		{everybody(`"ArnLike":{"aws:SourceArn":"arn:aws:s3:::src"}`), false},
		{everybody(`"ArnEquals":{"aws:PrincipalArn":["arn:aws:iam::111111111111:role/a","arn:aws:iam::111111111111:role/b"]}`), false},
		{everybody(`"StringEquals":{"aws:userid":"AROAEXAMPLEEXAMPLE123:x"}`), false},
		{everybody(`"ForAnyValue:StringEquals":{"aws:PrincipalOrgPaths":"o-1/r-1/ou-1/"}`), false},
		{everybody(`"StringEquals":{"s3:authType":"REST-HEADER","aws:SourceVpce":"vpce-1"}`), false},
		// Keys that do not.
		{everybody(`"StringEquals":{"s3:authType":"REST-HEADER"}`), true},
		{everybody(`"Bool":{"aws:SecureTransport":"true"}`), true},
		{everybody(`"StringLike":{"aws:Referer":"https://example.com/x"}`), true},
		// Values that are not fixed.
		{everybody(`"StringLike":{"aws:SourceVpc":"vpc-*"}`), true},
		{everybody(`"StringLike":{"aws:SourceVpc":["vpc-91237329","vpc-?"]}`), true},
		{everybody(`"StringEquals":{"aws:SourceArn":"${aws:PrincipalArn}"}`), true},
		{everybody(`"StringLike":{"aws:userid":"AROAEXAMPLEEXAMPLE123:*"}`), true},
		// Operators that do not demand the values.
		{everybody(`"StringNotEquals":{"aws:SourceAccount":"111111111111"}`), true},
		{everybody(`"StringEqualsIfExists":{"aws:SourceAccount":"111111111111"}`), true},
		{everybody(`"ForAllValues:StringEquals":{"aws:SourceAccount":"111111111111"}`), true},
		{everybody(`"Null":{"aws:SourceAccount":"false"}`), true},
		{everybody(`"NumericGreaterThan":{"aws:SourceAccount":"0"}`), true},
		{everybody(`"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`), true},
		// Addresses: ranges that are too wide are no limit.
		{everybody(`"IpAddress":{"aws:SourceIp":["203.0.113.7","10.0.0.0/8"]}`), false},
		{everybody(`"IpAddress":{"aws:SourceIp":"2001:db8::/32"}`), false},
		{everybody(`"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`), true},
		{everybody(`"IpAddress":{"aws:SourceIp":["203.0.113.0/24","128.0.0.0/7"]}`), true},
		{everybody(`"IpAddress":{"aws:SourceIp":"2000::/31"}`), true},
		{everybody(`"IpAddress":{"aws:SourceIp":"::ffff:10.0.0.0/104"}`), false},
		{everybody(`"IpAddress":{"aws:SourceIp":"::ffff:0.0.0.0/96"}`), true},
		// Access points: any of a fixed account.
		{everybody(`"StringLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:111111111111:accesspoint/*"}`), false},
		{everybody(`"StringEquals":{"s3:DataAccessPointAccount":"111111111111"}`), false},
		{everybody(`"StringLike":{"s3:DataAccessPointArn":"arn:aws:s3:*:111111111111:accesspoint/*"}`), true},
		{everybody(`"StringLike":{"s3:DataAccessPointArn":"arn:aws:s3:us-west-2:*:accesspoint/x"}`), true},
		{everybody(`"StringLike":{"s3:DataAccessPointArn":"*"}`), true},
	} {
		d := mustParse(t, `{"Version":"2012-10-17","Statement":`+tt.statement+`}`, Resource)
		if got := d.Public(); got != tt.want {
			t.Errorf("%s: %t", tt.statement, got)
		}
		// What is not public lets nobody in of whom nothing is known.
		req := &Request{Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", ResourceAccount: "222222222222"}
		if in := Decide(req, []Source{{Kind: ResourcePolicy, Document: d}}).Allowed; in && !tt.want {
			t.Errorf("%s: not public, but lets a stranger in", tt.statement)
		}
	}
}
