package markup

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
)

// Tag reads an element Tag, which has a Key and a Value.
func (r *Reader) Tag(e *Element) (key, value string) {
	in := r.Read(e, "Key", "Value")
	in.Need("Key")
	in.Need("Value")
	if k, v := in.Raw("Key"), in.Raw("Value"); k != nil && v != nil {
		return *k, *v
	}
	return "", ""
}

// WriteTag writes an element Tag.
func WriteTag(b *strings.Builder, key, value string) {
	Wrap(b, "Tag", func() {
		Leaf(b, "Key", key)
		Leaf(b, "Value", value)
	})
}

// NameRules gives an ID to every rule that has none, each different and of
// AWS's form. The same rules get the same IDs: they are made of what write
// writes of the i-th one.
func NameRules(ids []*string, write func(b *strings.Builder, i int)) {
	taken := map[string]bool{}
	for _, id := range ids {
		taken[*id] = true
	}
	for i, id := range ids {
		for n := 0; *id == ""; n++ {
			var b strings.Builder
			fmt.Fprintf(&b, "%d\n%d\n", i, n)
			write(&b, i)
			sum := sha256.Sum256([]byte(b.String()))
			uuid := fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
			if made := base64.StdEncoding.EncodeToString([]byte(uuid)); !taken[made] {
				*id = made
				taken[made] = true
			}
		}
	}
}
