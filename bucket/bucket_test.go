package bucket

import (
	"strings"
	"testing"

	"twinbucket/fault"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	for _, good := range []string{"abc", "a-b.c", "1bucket", strings.Repeat("a", 63), "amzn-s3-demo-bucket"} {
		if err := CheckName(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", "ab", strings.Repeat("a", 64), "Abc", "a_b", "a/b", ".abc", "abc.", "-abc", "abc-", "a..b", "a-.b", "a.-b", "192.168.1.1",
		"xn--abc", "sthree-abc", "abc-s3alias", "abc--ol-s3", "abc.mrap", "abc--x-s3", "abc--table-s3", "äbc",
	} {
		if err := CheckName(bad); fault.CodeOf(err) != "InvalidBucketName" || fault.HintOf(err) == "" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestClone(t *testing.T) {
	t.Parallel()
	b := &Bucket{Name: "abc", Documents: map[Document][]byte{Policy: []byte("p")}}
	c := b.Clone()
	c.Documents[Tagging] = []byte("t")
	delete(c.Documents, Policy)
	if len(b.Documents) != 1 || b.Documents[Policy] == nil || b.ARN() != "arn:aws:s3:::abc" {
		t.Errorf("%+v", b)
	}
	if (&Bucket{}).Clone().Documents == nil {
		t.Error("a clone takes no document")
	}
}

func TestOwnerEnforced(t *testing.T) {
	t.Parallel()
	for doc, want := range map[string]bool{
		"": true,
		"<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule></OwnershipControls>": true,
		"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>":        false,
		"<OwnershipControls></OwnershipControls>": false,
	} {
		b := &Bucket{Documents: map[Document][]byte{}}
		if doc != "" {
			b.Documents[OwnershipControls] = []byte(doc)
		}
		if got := b.OwnerEnforced(); got != want {
			t.Errorf("%s: %v", doc, got)
		}
	}
}
