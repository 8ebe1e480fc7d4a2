package attack

import (
	"encoding/base64"
	"strings"
	"testing"

	"twinbucket/internal/sigv4"
)

// TestSessions: a session is as good as its token, its key and its role or
// user are.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.must(w.s3(w.victim, "PUT", "/vault", ""))
	w.must(w.s3(w.victim, "PUT", "/vault/k", "secret"))
	w.role(w.victim, "reader", `{"AWS":"`+victim+`"}`, allow("s3:GetObject", "arn:aws:s3:::vault/*"))
	alice := w.user("alice", allow("sts:AssumeRole", "*"), allow("s3:GetObject", "*"))
	one, two := w.assume(alice, roleARN(victim, "reader")), w.assume(alice, roleARN(victim, "reader"))
	get := func(c sigv4.Credentials) func() answer {
		return func() answer { return w.s3(c, "GET", "/vault/k", "") }
	}
	w.granted("a session", get(one)())
	with := func(change func(*sigv4.Credentials)) func() answer {
		c := one
		change(&c)
		return get(c)
	}
	raw, err := base64.StdEncoding.DecodeString(one.Token)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(at int) string {
		b := []byte(string(raw))
		b[(at+len(b))%len(b)] ^= 1
		return base64.StdEncoding.EncodeToString(b)
	}
	w.refused([]attempt{
		{"the token stripped", with(func(c *sigv4.Credentials) { c.Token = "" }), "InvalidAccessKeyId"},
		{"the token of another session", with(func(c *sigv4.Credentials) { c.Token = two.Token }), "InvalidToken"},
		{"key and token of one, secret of another", with(func(c *sigv4.Credentials) { c.Secret = two.Secret }), "SignatureDoesNotMatch"},
		{"the secret of the user who began it", with(func(c *sigv4.Credentials) { c.Secret = alice.Secret }), "SignatureDoesNotMatch"},
		{"truncated", with(func(c *sigv4.Credentials) { c.Token = c.Token[:len(c.Token)-4] }), "InvalidToken"},
		{"cut to a nonce", with(func(c *sigv4.Credentials) { c.Token = c.Token[:16] }), "InvalidToken"},
		{"one character", with(func(c *sigv4.Credentials) { c.Token = "A" }), "InvalidToken"},
		{"a bit of the nonce flipped", with(func(c *sigv4.Credentials) { c.Token = flip(0) }), "InvalidToken"},
		{"a bit of the text flipped", with(func(c *sigv4.Credentials) { c.Token = flip(40) }), "InvalidToken"},
		{"a bit of the tag flipped", with(func(c *sigv4.Credentials) { c.Token = flip(-1) }), "InvalidToken"},
		{"forged", with(func(c *sigv4.Credentials) {
			c.Token = base64.StdEncoding.EncodeToString([]byte(`{"k":"` + c.AccessKey + `","s":"` + c.Secret + `","a":"` + victim + `"}`))
		}), "InvalidToken"},
		{"doubled", with(func(c *sigv4.Credentials) { c.Token += c.Token }), "InvalidToken"},
		{"a token with a long-lived key", func() answer {
			c := alice
			c.Token = one.Token
			return get(c)()
		}, "InvalidToken"},
		{"a user's key as a session's", func() answer {
			c := alice
			c.AccessKey = "ASIA" + c.AccessKey[4:]
			return get(c)()
		}, "InvalidAccessKeyId"},
		{"presigned, the token stripped", func() answer {
			return w.do(request{method: "GET", path: "/vault/k", cred: sigv4.Credentials{AccessKey: one.AccessKey, Secret: one.Secret}, presign: true})
		}, "InvalidAccessKeyId"},
		{"at IAM, the token stripped", func() answer {
			return w.iam(sigv4.Credentials{AccessKey: one.AccessKey, Secret: one.Secret}, "ListUsers")
		}, "InvalidClientTokenId"},
		{"at STS, the token of another session", func() answer {
			return w.sts(sigv4.Credentials{AccessKey: one.AccessKey, Secret: one.Secret, Token: two.Token}, "GetCallerIdentity")
		}, "InvalidClientTokenId"},
		{"the token renamed in the URL", func() answer {
			return w.do(request{method: "GET", path: "/vault/k?X-Amz-Security-Token=" + sigv4.EncodeQuery(one.Token), cred: sigv4.Credentials{AccessKey: one.AccessKey, Secret: one.Secret}})
		}, "InvalidAccessKeyId"},
		{"the attacker's own key", get(w.stray), "AccessDenied"},
		{"a key of nobody", get(sigv4.Credentials{AccessKey: "AKIAAAAAAAAAAAAAAAAA", Secret: w.victim.Secret}), "InvalidAccessKeyId"},
		{"the key of the victim, the secret of the attacker", get(sigv4.Credentials{AccessKey: w.victim.AccessKey, Secret: w.stray.Secret}), "SignatureDoesNotMatch"},
		{"an empty secret", get(sigv4.Credentials{AccessKey: w.victim.AccessKey}), "SignatureDoesNotMatch"},
	})
	// The role is made anew by the same name: sessions of the old one are none of it.
	w.must(w.iam(w.victim, "DeleteRolePolicy", "RoleName=reader", "PolicyName=p"))
	w.must(w.iam(w.victim, "DeleteRole", "RoleName=reader"))
	w.refused([]attempt{{"a session of a deleted role", get(one), "InvalidToken"}})
	w.role(w.victim, "reader", `{"AWS":"`+victim+`"}`, allow("s3:*", "*"))
	w.refused([]attempt{{"a session of a role made anew", get(one), "InvalidToken"}})

	own := session(w.must(w.sts(alice, "GetSessionToken")))
	w.granted("a user's session", get(own)())
	w.must(w.iam(w.victim, "UpdateAccessKey", "UserName=alice", "AccessKeyId="+alice.AccessKey, "Status=Inactive"))
	w.refused([]attempt{{"a deactivated key", get(alice), "InvalidAccessKeyId"}})
	w.must(w.iam(w.victim, "DeleteAccessKey", "UserName=alice", "AccessKeyId="+alice.AccessKey))
	w.refused([]attempt{{"a deleted key", get(alice), "InvalidAccessKeyId"}})
	w.must(w.iam(w.victim, "DeleteUserPolicy", "UserName=alice", "PolicyName=p"))
	w.must(w.iam(w.victim, "DeleteUser", "UserName=alice"))
	w.refused([]attempt{{"a session of a deleted user", get(own), "InvalidToken"}})
	again := w.user("alice", allow("s3:GetObject", "*"))
	w.granted("the user made anew", get(again)())
	w.refused([]attempt{{"a session of a user made anew", get(own), "InvalidToken"}})
}

// TestSessionPolicies: what is given to AssumeRole narrows, whatever it says.
func TestSessionPolicies(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.must(w.s3(w.victim, "PUT", "/vault", ""))
	for _, key := range []string{"open/k", "closed/k"} {
		w.must(w.s3(w.victim, "PUT", "/vault/"+key, "x"))
	}
	w.role(w.victim, "reader", `{"AWS":"`+victim+`"}`, allow("s3:GetObject", "arn:aws:s3:::vault/open/*"), allow("iam:*", "*"))
	w.must(w.iam(w.victim, "CreatePolicy", "PolicyName=all", "PolicyDocument="+document(allow("*", "*"))))
	w.must(w.iam(w.stray, "CreatePolicy", "PolicyName=foreign", "PolicyDocument="+document(allow("*", "*"))))
	assume := func(params ...string) func(method, path string) func() answer {
		return func(method, path string) func() answer {
			return func() answer {
				a := w.sts(w.victim, "AssumeRole", append([]string{"RoleArn=" + roleARN(victim, "reader"), "RoleSessionName=s1"}, params...)...)
				if a.status >= 300 {
					return a
				}
				return w.s3(session(a), method, path, "")
			}
		}
	}
	everything := "Policy=" + document(allow("*", "*"))
	w.granted("within both", assume(everything)("GET", "/vault/open/k")())
	w.refused([]attempt{
		{"a policy wider than the role's", assume(everything)("GET", "/vault/closed/k"), "AccessDenied"},
		{"a managed policy wider than the role's", assume("PolicyArns.member.1.arn=arn:aws:iam::aws:policy/AdministratorAccess")("GET", "/vault/closed/k"), "AccessDenied"},
		{"a managed policy of the account", assume("PolicyArns.member.1.arn=arn:aws:iam::"+victim+":policy/all")("PUT", "/vault/open/k"), "AccessDenied"},
		{"a managed policy of another account", assume("PolicyArns.member.1.arn=arn:aws:iam::"+attacker+":policy/foreign")("GET", "/vault/open/k"), "NoSuchEntity"},
		{"a policy that allows nothing of it", assume("Policy="+document(allow("s3:PutObject", "*")))("GET", "/vault/open/k"), "AccessDenied"},
		{"two that have nothing in common", assume("Policy="+document(allow("s3:PutObject", "*")), "PolicyArns.member.1.arn=arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")("PUT", "/vault/open/k"), "AccessDenied"},
		{"a principal in the policy", assume("Policy="+strings.Replace(document(allow("*", "*")), `"Effect"`, `"Principal":"*","Effect"`, 1))("GET", "/vault/closed/k"), "MalformedPolicyDocument"},
	})
	narrow := w.assume(w.victim, roleARN(victim, "reader"), "Policy="+document(allow("s3:GetObject", "*")))
	w.refused([]attempt{
		{"a narrowed session widens its role", func() answer {
			return w.iam(narrow, "PutRolePolicy", "RoleName=reader", "PolicyName=x", "PolicyDocument="+document(allow("*", "*")))
		}, "AccessDenied"},
		{"a session of a role asks for a user's session", func() answer { return w.sts(narrow, "GetSessionToken") }, "AccessDenied"},
	})
}
