package policy

import "testing"

// crossAccount is the decision on which replication spends its time: five
// statements of the role and five of the destination's bucket policy.
func crossAccount(t testing.TB) (*Request, []Source) {
	identity := mustParse(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:GetReplicationConfiguration","s3:ListBucket"],"Resource":"arn:aws:s3:::src"},
		{"Effect":"Allow","Action":["s3:GetObjectVersionForReplication","s3:GetObjectVersionAcl","s3:GetObjectVersionTagging"],"Resource":"arn:aws:s3:::src/*"},
		{"Effect":"Allow","Action":["s3:ReplicateObject","s3:ReplicateDelete","s3:ReplicateTags"],"Resource":"arn:aws:s3:::dst/*"},
		{"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"StringNotEquals":{"aws:ResourceAccount":["111111111111","222222222222"]}}},
		{"Effect":"Allow","Action":"s3:ObjectOwnerOverrideToBucketOwner","Resource":"arn:aws:s3:::dst/*"}]}`, Identity)
	bucket := mustParse(t, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":["arn:aws:s3:::dst","arn:aws:s3:::dst/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::333333333333:role/other"},"Action":"s3:*","Resource":"arn:aws:s3:::dst/*"},
		{"Effect":"Allow","Principal":{"AWS":"`+replRole+`"},"Action":["s3:ReplicateObject","s3:ReplicateDelete","s3:ReplicateTags"],"Resource":"arn:aws:s3:::dst/*"},
		{"Effect":"Allow","Principal":{"AWS":"`+replRole+`"},"Action":["s3:List*","s3:GetBucketVersioning"],"Resource":"arn:aws:s3:::dst"},
		{"Effect":"Deny","Principal":"*","Action":"s3:DeleteObjectVersion","Resource":"arn:aws:s3:::dst/*"}]}`, Resource)
	req := &Request{
		Principal: repl, Action: "s3:ReplicateObject", Resource: "arn:aws:s3:::dst/photos/2026/01/31/one.jpg",
		ResourceAccount: "222222222222", Context: map[string][]string{"aws:securetransport": {"true"}},
	}
	return req, []Source{
		{Kind: IdentityPolicy, Name: "identity", Document: identity},
		{Kind: ResourcePolicy, Name: "bucket", Document: bucket},
	}
}

func BenchmarkDecideCrossAccount(b *testing.B) {
	req, sources := crossAccount(b)
	b.ReportAllocs()
	for b.Loop() {
		if d := Decide(req, sources); !d.Allowed {
			b.Fatal(d.Err(req))
		}
	}
}

func TestDecideAllocations(t *testing.T) {
	req, sources := crossAccount(t)
	if n := testing.AllocsPerRun(100, func() { Decide(req, sources) }); n > 2 {
		t.Errorf("%v allocations a decision, want at most 2", n)
	}
}

func BenchmarkParse(b *testing.B) {
	_, sources := crossAccount(b)
	data := sources[1].Document.JSON()
	for b.Loop() {
		if _, err := Parse(data, Resource); err != nil {
			b.Fatal(err)
		}
	}
}
