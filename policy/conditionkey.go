package policy

import "strings"

// The condition keys that a bucket policy may use, in lower case: the global
// ones (IAM User Guide, "AWS global condition context keys") and those of S3
// (Service Authorization Reference). A slash at the end is followed by a tag.
const (
	globalKeys = `assumedroot calledvia calledviafirst calledvialast chatbotsourcearn currenttime
		ec2instancesourceprivateipv4 ec2instancesourcevpc epochtime federatedprovider ismcpserviceaction
		multifactorauthage multifactorauthpresent principalaccount principalarn principalisawsservice
		principalorgid principalorgpaths principalservicename principalservicenameslist principaltag/
		principaltype referer requestedregion requesttag/ resourceaccount resourceorgid
		resourceorgpaths resourcetag/ securetransport signinsessionarn sourceaccount sourcearn
		sourceidentity sourceip sourceorgid sourceorgpaths sourceowner sourcevpc sourcevpcarn
		sourcevpce tagkeys tokenissuetime useragent userid username viaawsmcpservice viaawsservice
		vpceaccount vpceorgid vpceorgpaths vpcsourceip`
	s3Keys = `accessgrantscope accessgrantsinstancearn accessgrantslocationscope
		accesspointnetworkorigin accesspointtag/ annotation-prefix authtype buckettag/
		dataaccesspointaccount dataaccesspointarn delimiter deliverysourcearn destinationregion
		existingjoboperation existingjobpriority existingobjecttag/ if-match if-none-match
		inventoryaccessibleoptionalfields isreplicationpauserequest jobsuspendedcause
		locationconstraint logtype max-annotation-results max-keys object-lock-legal-hold
		object-lock-mode object-lock-remaining-retention-days object-lock-retain-until-date
		objectcreationoperation prefix requestjoboperation requestjobpriority requestobjecttag/
		requestobjecttagkeys resourceaccount resourcearnbeingauthorized signatureage
		signatureversion tlsversion versionid x-amz-acl x-amz-bucket-namespace
		x-amz-content-sha256 x-amz-copy-source x-amz-grant-full-control x-amz-grant-read
		x-amz-grant-read-acp x-amz-grant-write x-amz-grant-write-acp x-amz-metadata-directive
		x-amz-object-annotation-directive x-amz-object-if-match x-amz-object-ownership
		x-amz-server-side-encryption x-amz-server-side-encryption-aws-kms-key-id
		x-amz-server-side-encryption-customer-algorithm x-amz-storage-class
		x-amz-website-redirect-location`
)

var knownKeys = func() map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(globalKeys) {
		m["aws:"+name] = true
	}
	for name := range strings.FieldsSeq(s3Keys) {
		m["s3:"+name] = true
	}
	return m
}()

// knownKey reports whether a bucket policy may use the key called name.
func knownKey(name string) bool {
	name = strings.ToLower(name)
	if i := strings.IndexByte(name, '/'); i >= 0 {
		return knownKeys[name[:i+1]] && i+1 < len(name)
	}
	return knownKeys[name]
}

// The actions of the keys that go with few.
const (
	listing   = "listbucket listbucketversions"
	versioned = `deleteobjectversion deleteobjectversionannotation deleteobjectversiontagging
		getobjectversion getobjectversionacl getobjectversionannotation getobjectversionattributes
		getobjectversiontagging getobjectversiontorrent listobjectversionannotations
		putobjectversionacl putobjectversionannotation putobjectversiontagging`
	granting = "bypassgovernanceretention createbucket putbucketacl putobject putobjectacl putobjectversionacl"
)

var keyActions = map[string]string{
	"s3:prefix":                   listing,
	"s3:delimiter":                listing,
	"s3:max-keys":                 listing,
	"s3:versionid":                versioned,
	"s3:x-amz-acl":                granting,
	"s3:x-amz-grant-full-control": granting,
	"s3:x-amz-grant-read":         granting,
	"s3:x-amz-grant-read-acp":     granting,
	"s3:x-amz-grant-write":        granting,
	"s3:x-amz-grant-write-acp":    granting,
}

// conditioned reports whether each action of a bucket policy's statement goes
// with each of its condition keys; of a pattern's actions one is enough.
func (s *statement) conditioned() bool {
	if s.notAction {
		return true
	}
	for i := range s.conditions {
		with, few := keyActions[s.conditions[i].key.name]
		if !few {
			continue
		}
		for _, text := range s.actionTexts {
			if text != "*" && !matchesAny(strings.TrimPrefix(strings.ToLower(text), "s3:"), with) {
				return false
			}
		}
	}
	return true
}

// matchesAny reports whether a pattern of actions stands for one in list.
func matchesAny(action, list string) bool {
	p, _ := compile(action, true, false)
	for name := range strings.FieldsSeq(list) {
		if p.matchFold(name) {
			return true
		}
	}
	return false
}
