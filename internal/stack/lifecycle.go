package stack

// lifecycleTree has rules with a Filter, whichever properties select objects:
// only those can select by tags and sizes too.
func lifecycleTree(w *wanted, o *properties) tree {
	w.smallest = o.text("TransitionDefaultMinimumObjectSize")
	return tree{"Rule": o.trees("Rules", lifecycleRule)}
}

func lifecycleRule(r *properties) tree {
	t := r.filtered(r.take("Id=ID", "Status"), "Prefix", "ObjectSizeGreaterThan", "ObjectSizeLessThan")
	if t["Filter"] == nil {
		t["Filter"] = tree{"Prefix": ""}
	}
	if x := r.truths(r.take("ExpirationInDays=Days", "ExpirationDate=Date"), "ExpiredObjectDeleteMarker"); len(x) > 0 {
		t["Expiration"] = x
	}
	r.within(t, "AbortIncompleteMultipartUpload", "AbortIncompleteMultipartUpload", func(x *properties) tree {
		return x.take("DaysAfterInitiation")
	})
	// Of each pair the second is the older form.
	r.either("NoncurrentVersionExpiration", "NoncurrentVersionExpirationInDays")
	if x := r.take("NoncurrentVersionExpirationInDays=NoncurrentDays"); len(x) > 0 {
		t["NoncurrentVersionExpiration"] = x
	}
	r.within(t, "NoncurrentVersionExpiration", "NoncurrentVersionExpiration", func(x *properties) tree {
		return x.take("NoncurrentDays", "NewerNoncurrentVersions")
	})
	r.either("Transitions", "Transition")
	t["Transition"] = append(r.trees("Transitions", transition), r.trees("Transition", transition)...)
	r.either("NoncurrentVersionTransitions", "NoncurrentVersionTransition")
	t["NoncurrentVersionTransition"] = append(r.trees("NoncurrentVersionTransitions", noncurrentTransition),
		r.trees("NoncurrentVersionTransition", noncurrentTransition)...)
	return t
}

func transition(o *properties) tree {
	return o.take("StorageClass", "TransitionInDays=Days", "TransitionDate=Date")
}

func noncurrentTransition(o *properties) tree {
	return o.take("StorageClass", "TransitionInDays=NoncurrentDays", "NewerNoncurrentVersions")
}

// either fails if two properties that exclude each other are both there.
func (p *properties) either(a, b string) {
	if _, ok := p.m[a]; !ok {
		return
	}
	if _, ok := p.m[b]; ok {
		p.fail("Properties %s and %s cannot both be specified.", a, b)
	}
}
