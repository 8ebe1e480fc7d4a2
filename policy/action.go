package policy

import (
	"strings"

	"twinbucket/fault"
)

// The actions of S3 that are about objects, about buckets, and about neither,
// in lower case (Service Authorization Reference, "Actions, resources, and
// condition keys for Amazon S3").
const (
	objectActions = `abortmultipartupload bypassgovernanceretention deleteobject deleteobjectannotation
		deleteobjecttagging deleteobjectversion deleteobjectversionannotation deleteobjectversiontagging
		getobject getobjectacl getobjectannotation getobjectattributes getobjectlegalhold
		getobjectretention getobjecttagging getobjecttorrent getobjectversion getobjectversionacl
		getobjectversionannotation getobjectversionannotationforreplication getobjectversionattributes
		getobjectversionforreplication getobjectversiontagging getobjectversiontorrent
		initiatereplication listmultipartuploadparts listobjectannotations listobjectversionannotations
		objectowneroverridetobucketowner putobject putobjectacl putobjectannotation putobjectlegalhold
		putobjectretention putobjecttagging putobjectversionacl putobjectversionannotation
		putobjectversiontagging replicatedelete replicateobject replicateobjectannotation replicatetags
		restoreobject updateobjectencryption`
	bucketActions = `allowvendedlogdeliveryforresource createbucket createbucketmetadatatableconfiguration
		deletebucket deletebucketmetadatatableconfiguration deletebucketownershipcontrols
		deletebucketpolicy deletebucketpublicaccessblock deletebucketwebsite getaccelerateconfiguration
		getanalyticsconfiguration getbucketabac getbucketacl getbucketcors getbucketlocation
		getbucketlogging getbucketmetadatatableconfiguration getbucketnotification
		getbucketobjectlockconfiguration getbucketownershipcontrols getbucketpolicy
		getbucketpolicystatus getbucketpublicaccessblock getbucketrequestpayment getbuckettagging
		getbucketversioning getbucketwebsite getencryptionconfiguration
		getintelligenttieringconfiguration getinventoryconfiguration getlifecycleconfiguration
		getmetricsconfiguration getreplicationconfiguration listbucket listbucketmultipartuploads
		listbucketversions listtagsforresource pausereplication putaccelerateconfiguration
		putanalyticsconfiguration putbucketabac putbucketacl putbucketcors putbucketlogging
		putbucketnotification putbucketobjectlockconfiguration putbucketownershipcontrols
		putbucketpolicy putbucketpublicaccessblock putbucketrequestpayment putbuckettagging
		putbucketversioning putbucketwebsite putencryptionconfiguration
		putintelligenttieringconfiguration putinventoryconfiguration putlifecycleconfiguration
		putmetricsconfiguration putreplicationconfiguration tagresource untagresource
		updatebucketmetadataannotationtableconfiguration updatebucketmetadatainventorytableconfiguration
		updatebucketmetadatajournaltableconfiguration`
	otherActions = `associateaccessgrantsidentitycenter createaccessgrant createaccessgrantsinstance
		createaccessgrantslocation createaccesspoint createaccesspointforobjectlambda createjob
		createmultiregionaccesspoint createstoragelensgroup deleteaccessgrant deleteaccessgrantsinstance
		deleteaccessgrantsinstanceresourcepolicy deleteaccessgrantslocation deleteaccesspoint
		deleteaccesspointforobjectlambda deleteaccesspointpolicy deleteaccesspointpolicyforobjectlambda
		deletejobtagging deletemultiregionaccesspoint deletestoragelensconfiguration
		deletestoragelensconfigurationtagging deletestoragelensgroup describejob
		describemultiregionaccesspointoperation dissociateaccessgrantsidentitycenter getaccessgrant
		getaccessgrantsinstance getaccessgrantsinstanceforprefix getaccessgrantsinstanceresourcepolicy
		getaccessgrantslocation getaccesspoint getaccesspointconfigurationforobjectlambda
		getaccesspointforobjectlambda getaccesspointpolicy getaccesspointpolicyforobjectlambda
		getaccesspointpolicystatus getaccesspointpolicystatusforobjectlambda getaccountpublicaccessblock
		getdataaccess getjobtagging getmultiregionaccesspoint getmultiregionaccesspointpolicy
		getmultiregionaccesspointpolicystatus getmultiregionaccesspointroutes
		getstoragelensconfiguration getstoragelensconfigurationtagging getstoragelensdashboard
		getstoragelensgroup listaccessgrants listaccessgrantsinstances listaccessgrantslocations
		listaccesspoints listaccesspointsforobjectlambda listallmybuckets listcalleraccessgrants
		listjobs listmultiregionaccesspoints liststoragelensconfigurations liststoragelensgroups
		putaccessgrantsinstanceresourcepolicy putaccesspointconfigurationforobjectlambda
		putaccesspointpolicy putaccesspointpolicyforobjectlambda putaccesspointpublicaccessblock
		putaccountpublicaccessblock putjobtagging putmultiregionaccesspointpolicy
		putstoragelensconfiguration putstoragelensconfigurationtagging
		submitmultiregionaccesspointroutes updateaccessgrantslocation updatejobpriority updatejobstatus
		updatestoragelensgroup`
)

// scope says which resources of a bucket an action can be about.
type scope uint8

const (
	onBucket scope = 1 << iota
	onObjects
	elsewhere
)

// actionScopes maps the actions of S3, without "s3:", to their scopes.
var actionScopes = func() map[string]scope {
	m := map[string]scope{}
	for list, s := range map[string]scope{objectActions: onObjects, bucketActions: onBucket, otherActions: elsewhere} {
		for name := range strings.FieldsSeq(list) {
			m[name] = s
		}
	}
	return m
}()

// scopeOf returns the scopes of the actions that pattern, in lower case and
// without "s3:", stands for; 0 if there are none.
func scopeOf(name string) scope {
	if !strings.ContainsAny(name, "*?") {
		return actionScopes[name]
	}
	p, _ := compile(name, true, false)
	var all scope
	for action, s := range actionScopes {
		if p.matchFold(action) {
			all |= s
		}
	}
	return all
}

func knownAction(name string) bool { return scopeOf(name) != 0 }

// applies reports whether each action of a bucket policy's statement can be
// about one of its resources.
func (s *statement) applies() bool {
	if s.notAction || s.notResource {
		return true
	}
	var have scope
	for _, text := range s.resourceTexts {
		rest, _ := bucketPart(text)
		switch {
		case strings.Contains(rest, "/"):
			have |= onObjects
		case strings.ContainsAny(rest, "*?$"):
			have |= onBucket | onObjects
		default:
			have |= onBucket
		}
	}
	for _, text := range s.actionTexts {
		if text == "*" {
			continue
		}
		if _, name, _ := strings.Cut(strings.ToLower(text), ":"); scopeOf(name)&have == 0 {
			return false
		}
	}
	return true
}

// CheckBucket reports whether every resource of a bucket policy belongs to the
// bucket it is put on: fault.Invalid "Policy has invalid resource" if not.
func (d *Document) CheckBucket(name string) error {
	for i := range d.statements {
		for _, text := range d.statements[i].resourceTexts {
			rest, _ := bucketPart(text)
			bucket, _, _ := strings.Cut(rest, "/")
			p, _ := compile(bucket, true, false)
			if !p.match(name, nil) {
				return fault.New(fault.Invalid, "MalformedPolicy", "Policy has invalid resource").On(text).
					WithHint("statement %d: the policy of bucket %s speaks of arn:aws:s3:::%s and arn:aws:s3:::%s/* only", i+1, name, name, name)
			}
		}
	}
	return nil
}
