package check

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"twinbucket/arn"
	"twinbucket/bucket"
	"twinbucket/identity"
	"twinbucket/object"
	"twinbucket/policy"
	"twinbucket/rule"
)

// live checks what live replication of src needs.
func (c *checker) live(ctx context.Context, src *place, o Options) error {
	set, err := c.configured(ctx, src, o)
	if err != nil {
		return err
	}
	roleARN := o.Role
	if roleARN == "" && set != nil {
		roleARN = set.Role
	}
	if roleARN == "" {
		return nil // the line about the configuration says it
	}
	who, err := c.replicationRole(ctx, src, roleARN)
	if err != nil {
		return err
	}
	if set != nil {
		for i := range set.Rules {
			if set.Rules[i].Status != rule.Enabled {
				continue
			}
			if err := c.rule(ctx, who, src, &set.Rules[i], nil, 0); err != nil {
				return err
			}
		}
	}
	return c.operator(ctx, "s3:PutReplicationConfiguration", arn.Bucket(src.Name), src, roleARN,
		map[string][]string{"iam:passedtoservice": {rule.Service}})
}

// part names the bucket for the lines about it.
func (p *place) part(what string) string {
	if p.Owner == "" {
		return what + " " + p.Name
	}
	return what + " " + p.Name + " of account " + p.Owner
}

// configured checks the source bucket and returns its configuration, or that
// which the options plan; nil if there is neither.
func (c *checker) configured(ctx context.Context, src *place, o Options) (*rule.Set, error) {
	part := src.part("source bucket")
	c.setting(part, src, versioning, "versioning is Enabled", src.Versioning == bucket.Enabled, "replication copies versions", "InvalidRequest")
	l := Line{Part: part, What: "replication configuration", Account: src.Owner}
	if err := src.unread[bucket.Replication]; err != nil {
		l.Status, l.Reason = Unknown, texts([]error{err})
		c.add(l)
		return nil, nil
	}
	if data, ok := src.Documents[bucket.Replication]; ok {
		set, err := rule.Parse(data)
		if err != nil {
			return nil, err
		}
		l.Status, l.Reason = OK, enabled(set)
		switch {
		case l.Reason == "":
			l.Status, l.Reason = Refused, "every rule is Disabled: enable one"
		case o.Role != "" && o.Role != set.Role:
			l.Status, l.Reason = Refused, fmt.Sprintf("its role is %s, and not the one that is checked, %s", set.Role, o.Role)
		}
		c.add(l)
		return set, nil
	}
	l.Status, l.Reason = Refused, "there is none; --role and --destination plan one"
	if o.Destination == "" || o.Role == "" {
		c.add(l)
		return nil, nil
	}
	dst, err := c.bucket(ctx, o.Destination)
	if err != nil {
		return nil, err
	}
	if dst.gone && len(c.accounts) > 1 {
		dst.Owner = c.accounts[1].id.Account // who is meant to have it
	}
	r := planned(dst)
	l.Reason = "there is none"
	l.Fixes = src.configuration(o.Role, r).set(Set)
	c.add(l)
	return rule.New(o.Role, []rule.Rule{*r})
}

// enabled says which rules of a configuration are enabled.
func enabled(set *rule.Set) string {
	var on []string
	off := 0
	for i := range set.Rules {
		if r := &set.Rules[i]; r.Status == rule.Enabled {
			on = append(on, fmt.Sprintf("%q to %s", r.ID, r.Destination.BucketName()))
		} else {
			off++
		}
	}
	if on == nil {
		return ""
	}
	text := "enabled: " + strings.Join(on, ", ")
	if off > 0 {
		text += fmt.Sprintf("; disabled: %d", off)
	}
	return text
}

// setting adds the line of a setting that has to be so.
func (c *checker) setting(part string, p *place, d bucket.Document, what string, is bool, why, code string) {
	l := Line{Part: part, What: what, Account: p.Owner, Status: OK}
	switch err := p.unread[d]; {
	case err != nil:
		l.Status, l.Reason = Unknown, texts([]error{err})
	case !is:
		l.Status, l.Reason, l.Code = Refused, "it is not: "+why, code
		l.Fixes = p.setting(d).set(Set)
	}
	c.add(l)
}

// replicationRole checks that S3 may assume the role when it comes for src.
func (c *checker) replicationRole(ctx context.Context, src *place, roleARN string) (*actor, error) {
	return c.assumable(ctx, "replication role "+roleARN, roleARN, rule.Service, "AssumeRoleNotPermitted", comingFor(src.ARN(), src.Owner))
}

// comingFor is what a service that assumes a role says of that for which it
// comes.
func comingFor(resource, account string) map[string][]string {
	return map[string][]string{"aws:sourcearn": {resource}, "aws:sourceaccount": {account}}
}

// assumable checks that a role exists and that a service may assume it.
func (c *checker) assumable(ctx context.Context, part, roleARN, service, code string, context map[string][]string) (*actor, error) {
	who, err := c.role(ctx, roleARN)
	if err != nil {
		return nil, err
	}
	l := Line{Part: part, What: "the role exists", Account: who.Account, Status: OK}
	switch {
	case who.gone:
		l.Status, l.Code = Refused, code
		l.Reason = fmt.Sprintf("account %s has no role %s", who.Account, roleARN)
		if who.meant != "" {
			l.Reason += "; its ARN is " + who.meant + ": the path is part of it"
			c.add(l)
			return who, nil
		}
		t := who.whole()
		f := Fix{Account: who.Account, Document: t.document(), Do: Create, Statement: trusting(service), target: t}
		f.CloudFormation = fragment([]Fix{f})
		l.Fixes = []Fix{f}
		c.add(l)
		return who, nil
	case len(who.unread) > 0:
		l.Status, l.Reason = Unknown, texts(who.unread)
		c.add(l)
		return who, nil
	}
	c.add(l)
	// The service decides by the trust policy alone.
	trust := &actor{kind: who.kind, name: who.name, sources: []policy.Source{who.trust}, targets: who.targets}
	trust.Principal = policy.Principal{Type: policy.ServicePrincipal, Service: service, Facts: policy.ServiceFacts(c.accounts[0].Region())}
	c.ask(trust, question{part: part, action: "sts:AssumeRole", resource: roleARN, account: who.Account, code: code, context: context, what: service + " may assume the role"})
	return who, nil
}

// trusting is the statement of a trust policy that lets a service assume the
// role.
func trusting(service string) []byte {
	return []byte(`{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}`)
}

// rule checks what one rule needs at both ends, for v, for changes of v alone, or
// if v is nil for everything that it may select.
func (c *checker) rule(ctx context.Context, who *actor, src *place, r *rule.Rule, v *object.Version, changes object.Aspects) error {
	dst, err := c.bucket(ctx, r.Destination.BucketName())
	if err != nil {
		return err
	}
	part := fmt.Sprintf("rule %q, ", r.ID)
	from, to := src.part(part+"source bucket"), dst.part(part+"destination bucket")
	if dst.Owner == "" { // not known, or not there: the rule may say
		dst.Owner = r.Destination.Account
	}
	var needs []rule.Need
	var tags []object.Tag
	switch {
	case v == nil:
		needs, tags = c.needs(src, dst, r), r.Tags()
	case changes != 0:
		needs, tags = r.ChangeNeeds(&src.Bucket, &dst.Bucket, v, r.Carried(&src.Bucket, &dst.Bucket, changes)), v.Tags
		asked := map[string]bool{} // several changes need the same
		needs = slices.DeleteFunc(needs, func(n rule.Need) bool {
			again := asked[n.Action]
			asked[n.Action] = true
			return again
		})
	default:
		needs, tags = r.Needs(&src.Bucket, &dst.Bucket, v, sealing(r, src, dst, v)), v.Tags
	}
	ask := func(part string, on *place, context map[string][]string) {
		for _, n := range needs {
			if n.Bucket != &on.Bucket || n.KeyFacts != nil {
				continue
			}
			q := question{part: part, action: n.Action, resource: n.Resource, on: on, code: n.Code, instead: n.Instead, implied: n.Implied, context: context, tagged: on == src}
			if v != nil && n.Resource != on.ARN() {
				q.cover = arn.Object(on.Name, r.KeyPrefix()+"*")
			}
			c.ask(who, q)
		}
	}
	ask(from, src, object.TagFacts(object.ExistingTag, tags))
	c.fits(to, src, dst, r)
	var writing map[string][]string
	if v != nil && changes == 0 {
		under := sealing(r, src, dst, v)
		writing = under.WriteFacts()
	}
	ask(to, dst, writing)
	c.keys(who, needs, part+"keys")
	return nil
}

// sealing says how the replica of v is encrypted. A key that the rule names by
// an alias can be any of its account, which without an ARN is the source's.
func sealing(r *rule.Rule, src, dst *place, v *object.Version) object.Encryption {
	under := r.Replica(v, &src.Bucket, &dst.Bucket).Encryption
	if under.Algorithm == object.KMS && !isKey(under.KeyARN) {
		account := src.Owner
		if a, err := arn.Parse(under.KeyARN); err == nil {
			account = a.Account
		}
		under.KeyARN = anyKey(account)
	}
	return under
}

// isKey reports whether s is the ARN of a key of KMS.
func isKey(s string) bool {
	a, err := arn.Parse(s)
	return err == nil && a.Service == "kms" && strings.HasPrefix(a.Resource, "key/")
}

// anyKey matches the keys of an account.
func anyKey(account string) string { return "arn:aws:kms:*:" + account + ":key/*" }

// fits checks what the destination must be, whatever policies say.
func (c *checker) fits(part string, src, dst *place, r *rule.Rule) {
	switch {
	case dst.gone:
		// What it needs is known: it will belong to the account that the rule names.
		if dst.Owner == "" {
			dst.Owner = src.Owner
		}
		t := target{account: dst.Owner, kind: wholeBucket, name: dst.Name}
		c.add(Line{Part: part, What: "the bucket exists", Account: dst.Owner, Status: Refused, Code: "DstBucketNotFound", Reason: "there is no bucket " + dst.Name, Fixes: t.set(Create)})
		return
	case dst.unread[owner] != nil:
		c.add(Line{Part: part, What: "the bucket exists", Account: dst.Owner, Status: Unknown, Reason: texts([]error{dst.unread[owner]})})
		return
	}
	c.setting(part, dst, versioning, "versioning is Enabled", dst.Versioning == bucket.Enabled, "replicas are versions", "DstBucketUnversioned")
	if src.Locked() {
		c.setting(part, dst, bucket.ObjectLock, "Object Lock is enabled, as at the source", dst.Locked(), "it is on at "+src.Name, "DstBucketObjectLockConfigMissing")
	}
	if l := (Line{Part: part, What: "its owner pays for requests", Account: dst.Owner}); dst.Owner != src.Owner {
		switch err := dst.unread[bucket.RequestPayment]; {
		case err != nil:
			l.Status, l.Reason = Unknown, texts([]error{err})
			c.add(l)
		case dst.RequesterPays():
			l.Status, l.Code = Refused, "DstPutObjectNotPermitted"
			l.Reason = "requesters pay, and S3 does not replicate into such a bucket of another account: " +
				"aws s3api put-bucket-request-payment --bucket " + dst.Name + " --request-payment-configuration Payer=BucketOwner"
			c.add(l)
		}
	}
	if account := r.Destination.Account; account != "" {
		l := Line{Part: part, What: "the bucket belongs to account " + account + ", which the rule names", Account: dst.Owner, Status: OK}
		if account != dst.Owner {
			l.Status, l.Code = Refused, "DstPutObjectNotPermitted"
			l.Reason = fmt.Sprintf("it belongs to account %s: set Destination.Account of the rule to it", dst.Owner)
		}
		c.add(l)
	}
}

// needs are the actions that the role needs under a rule for any version that
// it may select.
func (c *checker) needs(src, dst *place, r *rule.Rule) []rule.Need {
	v := object.Version{Key: r.KeyPrefix() + "*", Tags: []object.Tag{{}}}
	if src.Locked() {
		v.Lock.Mode, v.Lock.Hold = "GOVERNANCE", true
	}
	if r.SseKmsEncryptedObjects == rule.Enabled {
		v.Encryption = object.Encryption{Algorithm: object.KMS, KeyARN: anyKey(src.Owner)}
		if e := src.EncryptionRule(); isKey(e.KeyID) {
			v.Encryption.KeyARN, v.Encryption.BucketKey = e.KeyID, e.BucketKey
		}
	}
	needs := r.Needs(&src.Bucket, &dst.Bucket, &v, sealing(r, src, dst, &v))
	if r.TakesMarkers() {
		v.Marker = true
		for _, n := range r.Needs(&src.Bucket, &dst.Bucket, &v, object.Encryption{}) {
			if n.Action != needs[0].Action {
				needs = append(needs, n)
			}
		}
	}
	return needs
}

// keys checks the role's rights on the keys of KMS that it needs. Their own
// policies cannot be read here.
func (c *checker) keys(who *actor, needs []rule.Need, part string) {
	for _, n := range needs {
		if n.KeyFacts == nil {
			continue
		}
		context := maps.Clone(n.KeyFacts)
		context["kms:viaservice"] = []string{"s3." + n.Bucket.Region + ".amazonaws.com"}
		context["kms:calleraccount"] = []string{who.Account}
		q := question{part: part, action: n.Action, instead: n.Instead, resource: n.Resource, account: who.Account, code: n.Code, context: context}
		if key := c.usable(who, q); key != "" {
			c.add(Line{Part: part, What: q.action + " on the keys that it is about", Account: who.Account, Status: Unknown, Reason: "which these are is not known; it is allowed on " + key})
			continue
		}
		c.ask(who, q)
		c.add(Line{Part: part, What: "the key policy of " + n.Resource + " allows " + n.Action, Account: who.Account, Status: Unknown, Reason: "key policies are not read: look at aws kms get-key-policy"})
	}
}

// usable returns a key on which the policies of a role allow what is asked for
// keys that are not known; "" if there is none, or all are allowed or named.
func (c *checker) usable(who *actor, q question) string {
	if !q.whole() || policy.Decide(q.request(who, c.now), who.sources).Allowed {
		return ""
	}
	keys := q.resource
	for _, src := range who.sources {
		if src.Document == nil {
			continue
		}
		for i := range src.Document.Len() {
			var s statement
			if json.Unmarshal(src.Document.Statement(i), &s) != nil {
				continue
			}
			for _, q.resource = range values(s.Resource) {
				if arn.Match(keys, q.resource) && policy.Decide(q.request(who, c.now), who.sources).Allowed {
					return q.resource
				}
			}
		}
	}
	return ""
}

// operator checks that the owner of the credentials may hand the role over
// with an action of its own.
func (c *checker) operator(ctx context.Context, action, resource string, on *place, roleARN string, passing map[string][]string) error {
	who, err := c.caller(ctx)
	if err != nil {
		return err
	}
	part := "you, " + who.ARN
	c.ask(who, question{part: part, action: action, resource: resource, on: on})
	account, _, err := roleParts(roleARN)
	if err != nil {
		return err
	}
	if account != who.Account {
		c.add(Line{Part: part, What: "iam:PassRole on " + roleARN, Account: account, Status: Refused, Reason: "a role can only be passed in its own account: use a role of account " + who.Account})
		return nil
	}
	role, err := c.role(ctx, roleARN)
	if err != nil {
		return err
	}
	facts := identity.TagFacts(role.Tags)
	maps.Copy(facts, passing)
	c.ask(who, question{part: part, action: "iam:PassRole", resource: roleARN, account: account, context: facts})
	return nil
}
