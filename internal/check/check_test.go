package check_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"twinbucket/bucket"
	"twinbucket/client"
	"twinbucket/fault"
	"twinbucket/internal/check"
	"twinbucket/internal/config"
	"twinbucket/internal/server"
	"twinbucket/object"
)

const (
	replRole = "arn:aws:iam::111111111111:role/repl"
	jobRole  = "arn:aws:iam::111111111111:role/job"
)

// world is a server with two accounts, a bucket in each, and the roles that
// replicate one into the other.
type world struct {
	*testing.T
	src, dst *client.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	srv, err := server.Open(t.Context(), config.Server{
		Data: t.TempDir(), Listen: "127.0.0.1:0", Region: config.DefaultRegion,
		Accounts: []config.Account{{Name: "source", ID: "111111111111"}, {Name: "dest", ID: "222222222222"}},
		Keys:     []config.Key{{ID: "k", Alias: "mine"}},
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	served := make(chan error, 1)
	go func() { served <- srv.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	w := &world{T: t}
	for _, a := range srv.Accounts() {
		c, err := client.New(client.Config{
			Endpoint: "http://" + srv.Addr(), Region: config.DefaultRegion,
			Credentials: client.Credentials{AccessKey: a.AccessKey, Secret: a.Secret},
		})
		w.must(err)
		if a.Name == "source" {
			w.src = c
		} else {
			w.dst = c
		}
	}
	w.must(w.src.CreateBucket(ctx, "src"))
	w.must(w.src.PutBucketVersioning(ctx, "src", bucket.Enabled))
	w.must(w.dst.CreateBucket(ctx, "dst"))
	w.must(w.dst.PutBucketVersioning(ctx, "dst", bucket.Enabled))
	w.role("repl", "s3.amazonaws.com",
		"s3:GetReplicationConfiguration,s3:ListBucket arn:aws:s3:::src",
		"s3:GetObjectVersionForReplication,s3:GetObjectVersionAcl,s3:GetObjectVersionTagging arn:aws:s3:::src/*",
		"s3:ReplicateObject,s3:ReplicateDelete arn:aws:s3:::dst/*")
	w.role("job", "batchoperations.s3.amazonaws.com",
		"s3:InitiateReplication,s3:PutObject arn:aws:s3:::src/*",
		"s3:GetReplicationConfiguration,s3:PutInventoryConfiguration arn:aws:s3:::src")
	w.policy("s3:ReplicateObject,s3:ReplicateDelete arn:aws:s3:::dst/*")
	w.must(w.src.PutBucketReplication(ctx, "src", []byte(`<ReplicationConfiguration><Role>`+replRole+`</Role><Rule><ID>all</ID><Priority>1</Priority><Status>Enabled</Status><Filter/><DeleteMarkerReplication><Status>Enabled</Status></DeleteMarkerReplication><Destination><Bucket>arn:aws:s3:::dst</Bucket><Account>222222222222</Account></Destination></Rule></ReplicationConfiguration>`)))
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%v (%s)", err, fault.HintOf(err))
	}
}

// grants is a policy of statements "ACTION,ACTION RESOURCE", which deny if they
// begin with "!", for a principal or, if that is "", for an identity.
func grants(principal string, statements ...string) string {
	out := make([]string, len(statements))
	for i, s := range statements {
		effect := "Allow"
		if rest, deny := strings.CutPrefix(s, "!"); deny {
			effect, s = "Deny", rest
		}
		actions, resource, _ := strings.Cut(s, " ")
		who := ""
		if principal != "" {
			who = `"Principal":{"AWS":"` + principal + `"},`
		}
		out[i] = `{"Effect":"` + effect + `",` + who + `"Action":["` + strings.ReplaceAll(actions, ",", `","`) + `"],"Resource":"` + resource + `"}`
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(out, ",") + `]}`
}

// tagged makes a statement of a policy one about objects with the tag a=b.
func tagged(text string, statement int) string {
	parts := strings.SplitAfter(text, `"}`)
	parts[statement] = strings.TrimSuffix(parts[statement], "}") + `,"Condition":{"StringEquals":{"s3:ExistingObjectTag/a":"b"}}}`
	return strings.Join(parts, "")
}

// role makes a role anew, with one inline policy, "p".
func (w *world) role(name, service string, statements ...string) {
	w.Helper()
	ctx := w.Context()
	if _, err := w.src.GetRole(ctx, name); err == nil {
		w.dropRole(name)
	}
	_, err := w.src.CreateRole(ctx, client.Role{Name: name, Trust: `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"` + service + `"},"Action":"sts:AssumeRole"}]}`})
	w.must(err)
	w.grant(name, statements...)
}

func (w *world) dropRole(name string) {
	w.Helper()
	w.must(w.src.DeleteRolePolicy(w.Context(), name, "p"))
	w.must(w.src.DeleteRole(w.Context(), name))
}

// grant sets the inline policy of a role.
func (w *world) grant(name string, statements ...string) {
	w.Helper()
	w.must(w.src.PutRolePolicy(w.Context(), name, "p", grants("", statements...)))
}

// policy sets the bucket policy of dst for the replication role.
func (w *world) policy(statements ...string) {
	w.Helper()
	w.must(w.dst.PutBucketPolicy(w.Context(), "dst", []byte(grants(replRole, statements...))))
}

func (w *world) check() *check.Report {
	w.Helper()
	r, err := check.Run(w.Context(), check.Options{
		Bucket: "src", Source: w.src, Others: []*client.Client{w.dst}, JobRole: jobRole, Report: "s3://src/reports", Role: replRole, Destination: "dst",
	})
	w.must(err)
	return r
}

// refused returns what is refused.
func refused(r *check.Report) []string {
	var out []string
	for i := range r.Lines {
		if r.Lines[i].Status != check.OK {
			out = append(out, r.Lines[i].What)
		}
	}
	return out
}

// replicates puts an object and hides it behind a delete marker, and reports
// which of them arrive, which is what is wanted or not.
func (w *world) replicates(key string, arrives, marker bool) {
	w.Helper()
	ctx := w.Context()
	v, err := w.src.PutObject(ctx, client.Put{Version: object.Version{Bucket: "src", Key: key, Tags: []object.Tag{{Key: "a", Value: "b"}}}, Body: strings.NewReader("x")})
	w.must(err)
	d, err := w.src.DeleteObject(ctx, "src", key, "")
	w.must(err)
	for v.Status = object.Pending; v.Status == object.Pending; {
		v, err = w.src.HeadObject(ctx, "src", key, v.ID)
		w.must(err)
	}
	if (v.Status == object.Completed) != arrives {
		w.Errorf("%s: %s", key, v.Status)
	}
	// A marker has no status to be seen: one that is to come is waited for.
	for {
		m, err := w.dst.HeadObject(ctx, "dst", key, d.VersionID)
		if err == nil && m.Marker != marker {
			w.Errorf("the marker of %s arrived", key)
		}
		if err == nil || !marker {
			return
		}
		if !errors.Is(err, fault.NotFound) {
			w.Fatal(err)
		}
	}
}

// apply carries out every change of a report: what is new as a stack, and the
// rest by the commands.
func (w *world) apply(r *check.Report, stack string) {
	w.Helper()
	ctx := w.Context()
	for i := range r.Plans {
		p := &r.Plans[i]
		c := w.src
		if p.Account == "222222222222" {
			c = w.dst
		}
		if p.Template != "" {
			_, err := c.Deploy(ctx, stack, p.Template, nil, []string{"CAPABILITY_NAMED_IAM"})
			w.must(err)
		}
		for _, u := range p.Updates {
			_, err := c.Deploy(ctx, u.Stack, u.Template, nil, []string{"CAPABILITY_NAMED_IAM"})
			w.must(err)
		}
		for _, command := range p.Commands() {
			w.run(c, command)
		}
	}
}

// run carries out the commands that a client can; the others are tried with
// the AWS CLI itself, in test/e2e.
func (w *world) run(c *client.Client, command string) {
	w.Helper()
	words := strings.Fields(command)
	flag := func(name string) string {
		_, rest, _ := strings.Cut(command, name+" ")
		if quoted, ok := strings.CutPrefix(rest, "'"); ok {
			value, _, _ := strings.Cut(quoted, "'")
			return value
		}
		return strings.Fields(rest)[0]
	}
	ctx := w.Context()
	switch words[2] {
	case "put-bucket-policy":
		w.must(c.PutBucketPolicy(ctx, flag("--bucket"), []byte(flag("--policy"))))
	case "delete-bucket-policy":
		w.must(c.DeleteBucketPolicy(ctx, flag("--bucket")))
	case "put-bucket-versioning":
		w.must(c.PutBucketVersioning(ctx, flag("--bucket"), bucket.Enabled))
	case "put-role-policy":
		w.must(c.PutRolePolicy(ctx, flag("--role-name"), flag("--policy-name"), flag("--policy-document")))
	case "delete-role-policy":
		w.must(c.DeleteRolePolicy(ctx, flag("--role-name"), flag("--policy-name")))
	default:
		w.Fatalf("not known here: %s", command)
	}
}

// TestChecks breaks one thing after the other. The check has to say so, with
// the code that the engine then gives; the engine has to refuse; and with the
// fixes applied, both have to be content.
func TestChecks(t *testing.T) {
	t.Parallel()
	const (
		read  = "s3:GetObjectVersionForReplication,s3:GetObjectVersionAcl,s3:GetObjectVersionTagging arn:aws:s3:::src/*"
		find  = "s3:GetReplicationConfiguration,s3:ListBucket arn:aws:s3:::src"
		write = "s3:ReplicateObject,s3:ReplicateDelete arn:aws:s3:::dst/*"
	)
	tests := []struct {
		name   string
		broken func(*world)
		want   []string // what is refused
		code   string   // of the first
		object bool     // whether an object arrives
		marker bool     // whether a delete marker arrives
	}{
		{name: "nothing", broken: func(*world) {}, object: true, marker: true},
		{
			name: "role is gone", broken: func(w *world) { w.dropRole("repl") }, code: "AssumeRoleNotPermitted",
			want: []string{
				"the role exists", "s3:GetReplicationConfiguration on arn:aws:s3:::src", "s3:GetObjectVersionForReplication on arn:aws:s3:::src/*",
				"s3:GetObjectVersionAcl on arn:aws:s3:::src/*", "s3:GetObjectVersionTagging on arn:aws:s3:::src/*", "s3:ListBucket on arn:aws:s3:::src",
				"s3:ReplicateObject on arn:aws:s3:::dst/*", "s3:ReplicateDelete on arn:aws:s3:::dst/*",
			},
		},
		{
			name: "role was made anew", broken: func(w *world) { w.role("repl", "s3.amazonaws.com", find, read, write) }, code: "DstPutObjectNotPermitted",
			want: []string{"s3:ReplicateObject on arn:aws:s3:::dst/*", "s3:ReplicateDelete on arn:aws:s3:::dst/*"},
		},
		{
			name: "no right to read", broken: func(w *world) {
				w.grant("repl", find, write, "s3:GetObjectVersionAcl,s3:GetObjectVersionTagging arn:aws:s3:::src/*")
			},
			code: "SrcGetObjectNotPermitted", marker: true,
			want: []string{"s3:GetObjectVersionForReplication on arn:aws:s3:::src/*"},
		},
		{
			name: "the right to read versions will do", object: true, marker: true, broken: func(w *world) {
				w.grant("repl", find, write, "s3:GetObjectVersion,s3:GetObjectVersionAcl,s3:GetObjectVersionTagging arn:aws:s3:::src/*")
			},
		},
		{
			name: "rights on the bucket for objects", broken: func(w *world) {
				w.grant("repl", find, write, strings.TrimSuffix(read, "/*"))
			},
			code: "SrcGetObjectNotPermitted", marker: true,
			want: []string{"s3:GetObjectVersionForReplication on arn:aws:s3:::src/*", "s3:GetObjectVersionAcl on arn:aws:s3:::src/*", "s3:GetObjectVersionTagging on arn:aws:s3:::src/*"},
		},
		{
			name: "destination has no policy", broken: func(w *world) { w.must(w.dst.DeleteBucketPolicy(w.Context(), "dst")) }, code: "DstPutObjectNotPermitted",
			want: []string{"s3:ReplicateObject on arn:aws:s3:::dst/*", "s3:ReplicateDelete on arn:aws:s3:::dst/*"},
		},
		{
			name: "destination lets only objects in", broken: func(w *world) { w.policy("s3:ReplicateObject arn:aws:s3:::dst/*") }, code: "DstDelObjNotPermitted", object: true,
			want: []string{"s3:ReplicateDelete on arn:aws:s3:::dst/*"},
		},
		{
			name: "destination denies", broken: func(w *world) { w.policy(write, "!s3:Replicate* arn:aws:s3:::dst/*") }, code: "DstPutObjectNotPermitted",
			want: []string{"s3:ReplicateObject on arn:aws:s3:::dst/*", "s3:ReplicateTags on arn:aws:s3:::dst/*", "s3:ReplicateDelete on arn:aws:s3:::dst/*"},
		},
		{
			name: "destination denies a part", broken: func(w *world) { w.policy(write, "!s3:ReplicateDelete arn:aws:s3:::dst/k*") }, code: "DstDelObjNotPermitted", object: true,
			want: []string{"s3:ReplicateDelete on arn:aws:s3:::dst/k*"},
		},
		{
			name: "destination denies and allows nothing", broken: func(w *world) { w.policy("!s3:ReplicateObject arn:aws:s3:::dst/*") }, code: "DstPutObjectNotPermitted",
			want: []string{"s3:ReplicateObject on arn:aws:s3:::dst/*", "s3:ReplicateDelete on arn:aws:s3:::dst/*"},
		},
		{
			name: "the role is denied", broken: func(w *world) { w.grant("repl", find, read, write, "!s3:GetObject* arn:aws:s3:::src/*") }, code: "SrcGetObjectNotPermitted", marker: true,
			want: []string{"s3:GetObjectVersionForReplication on arn:aws:s3:::src/*", "s3:GetObjectVersionAcl on arn:aws:s3:::src/*", "s3:GetObjectVersionTagging on arn:aws:s3:::src/*"},
		},
		{
			name: "destination suspended its versioning", broken: func(w *world) { w.must(w.dst.PutBucketVersioning(w.Context(), "dst", bucket.Suspended)) }, code: "DstBucketUnversioned",
			want: []string{"versioning is Enabled"},
		},
		{
			name: "role trusts S3 for this bucket only", object: true, marker: true, broken: func(w *world) {
				w.dropRole("repl")
				_, err := w.src.CreateRole(w.Context(), client.Role{Name: "repl", Trust: `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:SourceAccount":"111111111111"},"ArnEquals":{"aws:SourceArn":"arn:aws:s3:::src"}}}}`})
				w.must(err)
				w.grant("repl", find, read, write)
				w.policy(write)
			},
		},
		{
			name: "destination asks for TLS and its region", object: true, marker: true, broken: func(w *world) {
				w.must(w.dst.PutBucketPolicy(w.Context(), "dst", []byte(strings.Replace(grants(replRole, write), `"Resource"`, `"Condition":{"Bool":{"aws:SecureTransport":"true"},"StringEquals":{"aws:RequestedRegion":"us-east-1"}},"Resource"`, 1))))
			},
		},
		{
			name: "the role is denied what has a tag", code: "SrcGetObjectNotPermitted", marker: true, broken: func(w *world) {
				w.must(w.src.PutRolePolicy(w.Context(), "repl", "p", tagged(grants("", find, write, read, "!s3:GetObjectVersion,s3:GetObjectVersionForReplication arn:aws:s3:::src/*"), 3)))
			},
			want: []string{"s3:GetObjectVersionForReplication on arn:aws:s3:::src/* with the tag a=b"},
		},
		{
			name: "the role is denied what does not have a tag", object: true, marker: true, broken: func(w *world) {
				text := tagged(grants("", find, write, read, "!s3:GetObjectVersion,s3:GetObjectVersionForReplication arn:aws:s3:::src/*"), 3)
				w.must(w.src.PutRolePolicy(w.Context(), "repl", "p", strings.Replace(text, "StringEquals", "StringNotEquals", 1)))
			},
			want: []string{"s3:GetObjectVersionForReplication on arn:aws:s3:::src/*"}, code: "SrcGetObjectNotPermitted",
		},
		{
			name: "destination denies a part across the prefix", code: "DstPutObjectNotPermitted", marker: true, broken: func(w *world) {
				w.configure(ruleXML("k", "<Prefix>k</Prefix>", "Enabled", "dst"))
				w.policy(write, "!s3:ReplicateObject arn:aws:s3:::dst/*1")
			},
			want: []string{"s3:ReplicateObject on arn:aws:s3:::dst/k*1"},
		},
		{
			name: "destination denies all, and a part besides", code: "DstPutObjectNotPermitted", marker: true, broken: func(w *world) {
				w.policy(write, "!s3:ReplicateObject arn:aws:s3:::dst/*", "!s3:ReplicateObject arn:aws:s3:::dst/k2")
			},
			want: []string{"s3:ReplicateObject on arn:aws:s3:::dst/*", "s3:ReplicateObject on arn:aws:s3:::dst/k2"},
		},
		{
			name: "the role is denied a part by a variable", code: "DstPutObjectNotPermitted", marker: true, broken: func(w *world) {
				w.grant("repl", find, read, write, "!s3:ReplicateObject arn:aws:s3:::dst/k${aws:PrincipalTag/none, '1'}")
			},
			want: []string{"s3:ReplicateObject on arn:aws:s3:::dst/k1"},
		},
		{
			name: "destination is gone", broken: func(w *world) { w.must(w.dst.DeleteBucket(w.Context(), "dst")) }, code: "DstBucketNotFound",
			want: []string{"the bucket exists", "s3:ReplicateObject on arn:aws:s3:::dst/*", "s3:ReplicateDelete on arn:aws:s3:::dst/*"},
		},
		{
			name: "destination takes only keys of one character", broken: func(w *world) { w.policy("s3:ReplicateObject,s3:ReplicateDelete arn:aws:s3:::dst/?") }, code: "DstPutObjectNotPermitted",
			want: []string{"s3:ReplicateObject on arn:aws:s3:::dst/*", "s3:ReplicateDelete on arn:aws:s3:::dst/*"},
		},
		{
			name: "job role lacks a right", object: true, marker: true, broken: func(w *world) {
				w.grant("job", "s3:InitiateReplication arn:aws:s3:::src/*", "s3:GetReplicationConfiguration,s3:PutInventoryConfiguration arn:aws:s3:::src")
			},
			code: "The job report could not be written to your report bucket. Please check your permissions.",
			want: []string{"s3:PutObject on arn:aws:s3:::src/reports/*"},
		},
		{
			name: "job role is gone", object: true, marker: true, broken: func(w *world) { w.dropRole("job") }, code: "Failed to assume role.",
			want: []string{
				"the role exists", "s3:InitiateReplication on arn:aws:s3:::src/*", "s3:GetReplicationConfiguration on arn:aws:s3:::src",
				"s3:PutInventoryConfiguration on arn:aws:s3:::src", "s3:PutObject on arn:aws:s3:::src/reports/*",
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			tt.broken(w)
			r := w.check()
			if got := refused(r); !slices.Equal(got, tt.want) {
				t.Fatalf("refused\n%s\nwant\n%s\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"), written(t, r))
			}
			for i := range r.Lines {
				if l := &r.Lines[i]; l.Status == check.Refused {
					if l.Code != tt.code {
						t.Errorf("%s: code %q, want %q", l.What, l.Code, tt.code)
					}
					break
				}
			}
			w.replicates("k1", tt.object, tt.marker)
			w.apply(r, "mend")
			if again := w.check(); refused(again) != nil {
				t.Fatalf("after the fixes:\n%s", written(t, again))
			}
			w.replicates("k2", true, true)
		})
	}
}

// TestRequesterPays: into a bucket of another account that has requesters pay
// nothing is replicated.
func TestRequesterPays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	pay := func(who string) {
		t.Helper()
		w.must(w.dst.PutBucketDocument(t.Context(), "dst", bucket.RequestPayment, []byte("<RequestPaymentConfiguration><Payer>"+who+"</Payer></RequestPaymentConfiguration>")))
	}
	pay("Requester")
	r := w.check()
	if got := refused(r); !slices.Equal(got, []string{"its owner pays for requests"}) {
		t.Errorf("%q\n%s", got, written(t, r))
	}
	w.replicates("k1", false, false)
	pay("BucketOwner")
	if r := w.check(); refused(r) != nil {
		t.Error(written(t, r))
	}
	w.replicates("k2", true, true)
}

// TestKeysThatAreNotKnown: a role that may use some keys is not told to be
// refused where the keys are not known.
func TestKeysThatAreNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(strings.NewReplacer(
		"<Destination>", "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria><Destination>",
		"</Destination>", "<EncryptionConfiguration><ReplicaKmsKeyID>arn:aws:kms:us-east-1:222222222222:alias/mine</ReplicaKmsKeyID></EncryptionConfiguration></Destination>",
	).Replace(ruleXML("all", "", "Enabled", "dst")))
	w.must(w.src.PutRolePolicy(t.Context(), "repl", "keys", grants("", "kms:Decrypt,kms:Encrypt arn:aws:kms:us-east-1:111111111111:key/k")))
	var got []string
	for _, l := range w.check().Lines {
		if l.Status != check.OK {
			got = append(got, string(l.Status)+" "+l.What)
		}
	}
	want := []string{
		"unknown kms:Decrypt on the keys that it is about",
		"refused kms:Encrypt on arn:aws:kms:*:222222222222:key/*", "unknown the key policy of arn:aws:kms:*:222222222222:key/* allows kms:Encrypt",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestKeysOfKMS: what a rule needs of keys is asked for and mended; what their
// own policies say is not known.
func TestKeysOfKMS(t *testing.T) {
	t.Parallel()
	const srcKey, dstKey = "arn:aws:kms:us-east-1:111111111111:key/k", "arn:aws:kms:us-east-1:222222222222:key/k"
	for name, tt := range map[string]struct {
		defaults, key string // of the source bucket, of replicas
		want          []string
	}{
		"by ARN": {
			"<KMSMasterKeyID>" + srcKey + "</KMSMasterKeyID>", dstKey,
			[]string{"kms:Decrypt on " + srcKey, "kms:Encrypt on " + dstKey},
		},
		"by alias": {"", "arn:aws:kms:us-east-1:222222222222:alias/mine", []string{"kms:Decrypt on arn:aws:kms:*:111111111111:key/*", "kms:Encrypt on arn:aws:kms:*:222222222222:key/*"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must(w.src.PutBucketDocument(w.Context(), "src", bucket.Encryption, []byte("<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>"+tt.defaults+"</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>")))
			w.configure(strings.NewReplacer(
				"<Destination>", "<SourceSelectionCriteria><SseKmsEncryptedObjects><Status>Enabled</Status></SseKmsEncryptedObjects></SourceSelectionCriteria><Destination>",
				"</Destination>", "<EncryptionConfiguration><ReplicaKmsKeyID>"+tt.key+"</ReplicaKmsKeyID></EncryptionConfiguration></Destination>",
			).Replace(ruleXML("all", "", "Enabled", "dst")))
			r := w.check()
			var got []string
			for i := range r.Lines {
				if l := &r.Lines[i]; l.Status == check.Refused {
					got = append(got, l.What)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Fatalf("refused %q", got)
			}
			if tt.defaults != "" {
				w.replicates("k1", false, true)
			}
			w.apply(r, "mend")
			for _, line := range w.check().Lines {
				if line.Status == check.Refused || line.Status == check.Unknown != strings.HasPrefix(line.What, "the key policy of ") {
					t.Errorf("after the fixes: %+v", line)
				}
			}
			w.replicates("k2", true, true)
		})
	}
}

func written(t *testing.T, r *check.Report) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		t.Fatal(err)
	}
	if err := r.WriteTemplates(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestFromNothing plans a replication that does not exist and makes it of the
// templates alone.
func TestFromNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(w.src.DeleteBucketReplication(t.Context(), "src"))
	w.dropRole("repl")
	w.dropRole("job")
	w.must(w.dst.DeleteBucketPolicy(t.Context(), "dst"))
	r := w.check()
	for i := range r.Plans {
		if p := &r.Plans[i]; p.Template == "" || len(p.Commands()) != 1-i {
			t.Errorf("account %s: template %q, commands %q", p.Account, p.Template, p.Commands())
		}
	}
	var b bytes.Buffer
	w.must(r.WriteTemplates(&b))
	golden(t, "nothing.yaml", b.Bytes())
	b.Reset()
	w.must(r.Write(&b))
	golden(t, "nothing.txt", b.Bytes())
}

var update = flag.Bool("update", false, "write the goldens anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update renews it):\n%s", path, got)
	}
}

// TestStacks finds what is wrong with things that belong to stacks, and mends
// it in the stacks' own templates, which stay as they were written otherwise.
func TestStacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.must(w.src.DeleteBucketReplication(ctx, "src"))
	w.must(w.src.DeleteBucket(ctx, "src"))
	w.dropRole("repl")
	w.must(w.dst.DeleteBucketPolicy(ctx, "dst"))
	named := []string{"CAPABILITY_NAMED_IAM"}
	_, err := w.src.Deploy(ctx, "role", `# The role.
Parameters:
  From: {Type: String, Default: src}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: repl
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          # not S3 yet
          - {Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: sts:AssumeRole}
      Policies:
        - PolicyName: read
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - Effect: Deny
                Action: s3:GetObjectVersionAcl
                Resource: "*"
              - Effect: Allow
                Action: s3:*
                Resource: [!Sub "arn:aws:s3:::${From}", !Sub "arn:aws:s3:::${From}/*"]
`, nil, named)
	w.must(err)
	_, err = w.src.Deploy(ctx, "bucket", `{"Resources": {"Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "src", "VersioningConfiguration": {"Status": "Suspended"}}}}}`, nil, nil)
	w.must(err)
	_, err = w.dst.Deploy(ctx, "policy", `Parameters:
  Role: {Type: String, Default: repl}
Resources:
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: dst
      PolicyDocument:
        Version: "2012-10-17"
        Statement:
          Sid: Look
          Effect: Allow
          Principal: {AWS: !Sub "arn:aws:iam::111111111111:role/${Role}"}
          Action: s3:List*
          Resource: arn:aws:s3:::dst
`, nil, nil)
	w.must(err)
	r := w.check()
	var b bytes.Buffer
	w.must(r.WriteTemplates(&b))
	golden(t, "stacks.yaml", b.Bytes())
	// The configuration takes a bucket with versioning, and a role.
	for i := range r.Plans {
		for _, c := range r.Plans[i].Changes {
			if c.Stack == "" && !c.New {
				t.Errorf("%s is in no stack", c.Document)
			}
		}
	}
	w.apply(r, "more")
	if again := w.check(); refused(again) != nil {
		t.Fatalf("after the fixes:\n%s", written(t, again))
	}
	w.replicates("k", true, false)
}

// TestOperator checks as an IAM user, who may not pass the role until the fix
// is made, and with a role that the configuration does not name.
func TestOperator(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	stack, err := w.src.Deploy(t.Context(), "user", `Resources:
  User:
    Type: AWS::IAM::User
    Properties:
      UserName: ann
      Policies:
        - PolicyName: p
          PolicyDocument:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Action: ["s3:*", "iam:Get*", "iam:List*", "cloudformation:*"], Resource: "*"}
              - {Effect: Allow, Action: iam:PassRole, Resource: "*", Condition: {StringEquals: {iam:ResourceTag/team: x}}}
  Key:
    Type: AWS::IAM::AccessKey
    Properties: {UserName: !Ref User}
Outputs:
  Key: {Value: !Ref Key}
  Secret: {Value: !GetAtt Key.SecretAccessKey}
`, nil, []string{"CAPABILITY_NAMED_IAM"})
	w.must(err)
	ann := w.src.As(client.Credentials{AccessKey: stack.Outputs["Key"], Secret: stack.Outputs["Secret"]})
	o := check.Options{Bucket: "src", Source: ann, Others: []*client.Client{w.dst}}
	r, err := check.Run(t.Context(), o)
	w.must(err)
	if got := refused(r); !slices.Equal(got, []string{"iam:PassRole on " + replRole}) {
		t.Fatalf("refused %q\n%s", got, written(t, r))
	}
	w.apply(r, "pass")
	if r, err = check.Run(t.Context(), o); err != nil || refused(r) != nil {
		t.Errorf("after the fix: %v\n%s", err, written(t, r))
	}
	o.Role = jobRole
	if r, err = check.Run(t.Context(), o); err != nil || !slices.Contains(refused(r), "replication configuration") {
		t.Errorf("with another role: %v\n%s", err, written(t, r))
	}
}

// TestUnknown checks with too few credentials: what cannot be read is not
// called refused, and what is refused for sure is.
func TestUnknown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alone := check.Options{Bucket: "src", Source: w.src}
	r, err := check.Run(t.Context(), alone)
	w.must(err)
	if r.Count(check.Refused) != 0 || r.Count(check.Unknown) == 0 {
		t.Errorf("without credentials of the destination:\n%s", written(t, r))
	}
	w.grant("repl", "s3:GetReplicationConfiguration,s3:ListBucket arn:aws:s3:::src")
	r, err = check.Run(t.Context(), alone)
	w.must(err)
	if got := fmt.Sprint(refused(r)); !strings.Contains(got, "s3:ReplicateObject") || len(r.Plans) != 1 {
		t.Errorf("without rights and credentials of the destination: %s", written(t, r))
	}
	for _, o := range []check.Options{{Bucket: "dst", Source: w.src, Others: []*client.Client{w.dst}}, {Bucket: "none", Source: w.src}} {
		if _, err := check.Run(t.Context(), o); err == nil || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", o.Bucket, err)
		}
	}
	// A bucket that may not be looked at is nobody else's for that.
	w.must(w.dst.DeleteBucketPolicy(t.Context(), "dst"))
	if _, err := check.Run(t.Context(), check.Options{Bucket: "dst", Source: w.src}); err == nil || !strings.Contains(err.Error(), "may not look at") {
		t.Errorf("a bucket that may not be looked at: %v", err)
	}
	nobody := w.src.As(client.Credentials{AccessKey: "AKIAIOSFODNN7EXAMPLE", Secret: "x"})
	if _, err := check.Run(t.Context(), check.Options{Bucket: "src", Source: nobody}); !errors.Is(err, fault.Unknown) {
		t.Errorf("with a key that does not exist: %v", err)
	}
}

// TestTagsOfARule knows the tags that the objects of a rule have.
func TestTagsOfARule(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.configure(ruleXML("tag", "<Tag><Key>a</Key><Value>b</Value></Tag>", "Disabled", "dst"))
	w.must(w.src.PutRolePolicy(t.Context(), "repl", "p", tagged(grants("",
		"s3:GetReplicationConfiguration,s3:ListBucket arn:aws:s3:::src", "s3:ReplicateObject arn:aws:s3:::dst/*", "s3:GetObjectVersion* arn:aws:s3:::src/*"), 2)))
	if r := w.check(); refused(r) != nil {
		t.Errorf("refused:\n%s", written(t, r))
	}
	if v := w.put("k", object.Tag{Key: "a", Value: "b"}); v.Status != object.Completed {
		t.Errorf("the object is %s", v.Status)
	}
}
