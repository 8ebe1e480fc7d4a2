package form

import (
	"net/http"
	"slices"
	"strings"

	"twinbucket/fault"
)

// authFields are the fields that say who sends a form and what is to be
// answered; the others describe the object.
var authFields = []string{
	"key", "policy", "tagging", "bucket", "success_action_status", "success_action_redirect", "redirect",
	"awsaccesskeyid", "signature", "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "x-amz-security-token",
}

// notInForm are the headers of a PUT that say what a form cannot.
var notInForm = []string{
	"x-amz-copy-source", "x-amz-content-sha256", "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-metadata-directive", "x-amz-tagging-directive",
}

// restHeaders are the fields that are headers of the same name.
var restHeaders = []string{
	"cache-control", "content-disposition", "content-encoding", "content-language", "content-md5", "content-type", "expires",
}

// metadataField begins the names of the fields that may hold any text.
const metadataField = "x-amz-meta-"

// Headers returns the headers that the fields stand for in a PUT. The field
// tagging, which holds a document, is not among them.
func (f *Form) Headers() (http.Header, error) {
	h := http.Header{}
	for _, name := range f.Fields() {
		value, _ := f.Field(name)
		header := name
		switch {
		case slices.Contains(notInForm, name) || strings.HasPrefix(name, "x-amz-copy-source-"):
			return nil, notOffered("the form field " + name + ": a form cannot ask for that")
		case slices.Contains(authFields, name), strings.HasPrefix(name, "x-ignore-"):
			continue
		case name == "acl":
			header = "x-amz-acl"
		case name == "x-amz-checksum-algorithm":
			header = "x-amz-sdk-checksum-algorithm"
		case !strings.HasPrefix(name, "x-amz-") && !slices.Contains(restHeaders, name):
			continue // of the page: a button, a token
		}
		if strings.ContainsFunc(name, notHeader) || strings.ContainsFunc(value, isLineEnd) && !strings.HasPrefix(name, metadataField) {
			return nil, fault.New(fault.Invalid, "InvalidArgument", "The form field cannot be a header.").On(name).
				With("ArgumentName", name).With("ArgumentValue", value).
				WithHint("its name has letters, digits and hyphens, and its value is one line")
		}
		h.Set(header, value)
	}
	return h, nil
}

func notOffered(what string) error {
	return fault.New(fault.Unsupported, "NotImplemented",
		"A header or query you provided implies functionality that is not implemented. ("+what+")").WithHint("%s", what)
}

func isLineEnd(r rune) bool { return r == '\r' || r == '\n' || r == 0 }

// notHeader reports whether r, of a name in lower case, is none of a header's.
func notHeader(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
