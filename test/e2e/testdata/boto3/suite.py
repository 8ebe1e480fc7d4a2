"""boto3 against a server whose address is in ENDPOINT, as the accounts source
and destination of AWS_SHARED_CREDENTIALS_FILE."""

import base64
import hashlib
import json
import os
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = os.environ["ENDPOINT"]
SOURCE, DESTINATION = os.environ["SOURCE"], os.environ["DESTINATION"]
ONCE = {"retries": {"max_attempts": 1, "mode": "standard"}}


def client(service, profile="source", **config):
    session = boto3.Session(profile_name=profile)
    return session.client(service, endpoint_url=ENDPOINT, config=Config(**ONCE, **config))


def s3(profile="source"):
    return client("s3", profile, s3={"addressing_style": "path"}, signature_version="s3v4")


def control_by_proxy():
    """S3 Control with the server as its proxy: the name needs no DNS."""
    session = boto3.Session(profile_name="source")
    return session.client("s3control", endpoint_url="http://twinbucket", config=Config(proxies={"http": ENDPOINT}, **ONCE))


def control_by_hook():
    """S3 Control with the account id taken off the host before signing."""
    c = client("s3control")

    def take_off(request, **_):
        request.url = request.url.replace("//%s." % SOURCE, "//")

    c.meta.events.register("before-sign.s3-control", take_off)
    return c


class Case(unittest.TestCase):
    bucket = None

    @classmethod
    def setUpClass(cls):
        cls.s3 = s3()
        cls.bucket = "boto-" + cls.__name__.lower()
        cls.s3.create_bucket(Bucket=cls.bucket)

    def refused(self, code, status, call, **args):
        with self.assertRaises(ClientError) as caught:
            call(**args)
        answer = caught.exception.response
        self.assertEqual((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]), (code, status), answer)
        return answer["Error"].get("Message", "")

    def body(self, key, **args):
        return self.s3.get_object(Bucket=self.bucket, Key=key, **args)["Body"].read()


class Keys(Case):
    def test_odd_keys(self):
        keys = [
            "plain", "a b", "a+b", "a%2Fb", "a%b", "ü/日本語/🪣", "a//b", "/lead", "trail/", ".", "a/../b", "a/./b",
            "q?x=1&y=2", "#frag", "semi;colon", "eq=amp&", "quote'\"", "<xml>&amp;", "back\\slash", "tab\there",
            "line\nbreak", "star*", "tilde~", "(par)", "[br]", "{cu}", "|pipe", "^", "`", "$", "@", "!", ",", ":",
            "x" * 1024, "é", "e\u0301", "\u00a0", "\ufeffbom", "a\x7fb",
        ]
        for k in keys:
            with self.subTest(key=k):
                data = b"of " + k.encode()
                put = self.s3.put_object(Bucket=self.bucket, Key=k, Body=data)
                self.assertEqual(put["ETag"], '"%s"' % hashlib.md5(data).hexdigest())
                self.assertEqual(self.body(k), data)
                self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key=k)["ContentLength"], len(data))
        listed = [o["Key"] for p in self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, PaginationConfig={"PageSize": 7}) for o in p["Contents"]]
        self.assertEqual(listed, sorted(keys, key=lambda k: k.encode()))
        for k in keys:
            with self.subTest(copied=k):
                self.s3.copy_object(Bucket=self.bucket, Key="copy", CopySource={"Bucket": self.bucket, "Key": k})
                self.assertEqual(self.body("copy"), b"of " + k.encode())
        answer = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": k} for k in keys]})
        self.assertEqual(len(answer["Deleted"]), len(keys), answer)
        self.assertEqual([o["Key"] for o in self.s3.list_objects_v2(Bucket=self.bucket)["Contents"]], ["copy"])


class Objects(Case):
    def test_bodies(self):
        for size in (0, 1, 100, 65536, 1 << 20, (5 << 20) + 1):
            with self.subTest(size=size):
                data = os.urandom(size)
                self.s3.put_object(Bucket=self.bucket, Key="body", Body=data, ContentType="application/x-b", Metadata={"size": str(size)})
                got = self.s3.get_object(Bucket=self.bucket, Key="body")
                self.assertEqual(got["Body"].read(), data)
                self.assertEqual((got["ContentType"], got["Metadata"]), ("application/x-b", {"size": str(size)}))
                if size > 10:
                    self.assertEqual(self.body("body", Range="bytes=3-9"), data[3:10])
                    self.assertEqual(self.body("body", Range="bytes=-4"), data[-4:])
                    self.assertEqual(self.body("body", Range="bytes=%d-" % (size - 2)), data[-2:])
        for algorithm in ("CRC32", "SHA1", "SHA256"):
            with self.subTest(checksum=algorithm):
                put = self.s3.put_object(Bucket=self.bucket, Key="sum", Body=b"abc", ChecksumAlgorithm=algorithm)
                got = self.s3.get_object(Bucket=self.bucket, Key="sum", ChecksumMode="ENABLED")
                self.assertEqual(got["Body"].read(), b"abc")
                self.assertEqual(got["Checksum" + algorithm], put["Checksum" + algorithm])

    def test_conditional_puts(self):
        def put(key, body, **headers):
            c = s3()
            c.meta.events.register("before-call.s3.PutObject", lambda params, **_: params["headers"].update(headers))
            return c.put_object(Bucket=self.bucket, Key=key, Body=body)

        first = put("cond", b"1", **{"If-None-Match": "*"})
        self.refused("PreconditionFailed", 412, put, key="cond", body=b"2", **{"If-None-Match": "*"})
        self.refused("PreconditionFailed", 412, put, key="cond", body=b"2", **{"If-Match": '"00000000000000000000000000000000"'})
        self.refused("NoSuchKey", 404, put, key="cond-none", body=b"2", **{"If-Match": first["ETag"]})
        put("cond", b"2", **{"If-Match": first["ETag"]})
        self.assertEqual(self.body("cond"), b"2")

    def test_presigned(self):
        for version in ("s3v4", "s3"):
            c = client("s3", s3={"addressing_style": "path"}, signature_version=version)
            with self.subTest(signature=version):
                url = c.generate_presigned_url("put_object", {"Bucket": self.bucket, "Key": "pre ü+"}, ExpiresIn=60)
                urllib.request.urlopen(urllib.request.Request(url, data=version.encode(), method="PUT", headers={"Content-Type": ""})).close()
                url = c.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": "pre ü+", "ResponseContentType": "text/x-y"}, ExpiresIn=60)
                with urllib.request.urlopen(url) as got:
                    self.assertEqual((got.read(), got.headers["Content-Type"]), (version.encode(), "text/x-y"))
                with self.assertRaises(urllib.error.HTTPError) as caught:
                    urllib.request.urlopen(urllib.request.Request(url, method="PUT", data=b"x"))
                self.assertEqual(caught.exception.code, 403)
                caught.exception.close()

    def test_tagging(self):
        self.s3.put_object(Bucket=self.bucket, Key="tags", Body=b"", Tagging="a=1&b=x%20y")
        tags = lambda: {t["Key"]: t["Value"] for t in self.s3.get_object_tagging(Bucket=self.bucket, Key="tags")["TagSet"]}
        self.assertEqual(tags(), {"a": "1", "b": "x y"})
        many = [{"Key": "k%d" % i, "Value": "v"} for i in range(11)]
        self.refused("BadRequest", 400, self.s3.put_object_tagging, Bucket=self.bucket, Key="tags", Tagging={"TagSet": many})
        self.s3.put_object_tagging(Bucket=self.bucket, Key="tags", Tagging={"TagSet": many[:10]})
        self.assertEqual(len(tags()), 10)
        self.s3.delete_object_tagging(Bucket=self.bucket, Key="tags")
        self.assertEqual(tags(), {})

    def test_copy(self):
        self.s3.put_object(Bucket=self.bucket, Key="from", Body=b"data", Metadata={"a": "1"}, Tagging="t=1", ContentType="text/a")
        self.s3.copy_object(Bucket=self.bucket, Key="to", CopySource={"Bucket": self.bucket, "Key": "from"})
        got = self.s3.head_object(Bucket=self.bucket, Key="to")
        self.assertEqual((got["Metadata"], got["ContentType"]), ({"a": "1"}, "text/a"))
        self.s3.copy_object(Bucket=self.bucket, Key="to", CopySource={"Bucket": self.bucket, "Key": "to"}, MetadataDirective="REPLACE", Metadata={"b": "2"})
        self.assertEqual(self.s3.head_object(Bucket=self.bucket, Key="to")["Metadata"], {"b": "2"})
        source = {"Bucket": self.bucket, "Key": "from"}
        self.refused("InvalidRequest", 400, self.s3.copy_object, Bucket=self.bucket, Key="from", CopySource=source)
        self.refused("PreconditionFailed", 412, self.s3.copy_object, Bucket=self.bucket, Key="x", CopySource=source, CopySourceIfNoneMatch=got["ETag"])
        self.refused("NoSuchKey", 404, self.s3.copy_object, Bucket=self.bucket, Key="x", CopySource={"Bucket": self.bucket, "Key": "none"})


class Listings(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = ["d%d/%02d" % (d, n) for d in range(5) for n in range(9)] + ["top%d" % n for n in range(7)]
        for k in cls.keys:
            cls.s3.put_object(Bucket=cls.bucket, Key=k, Body=b"")

    def test_pages(self):
        for size in (1, 2, 10, 1000):
            for delimiter in ("", "/"):
                for operation in ("list_objects_v2", "list_objects"):
                    with self.subTest(size=size, delimiter=delimiter, operation=operation):
                        keys, prefixes = [], []
                        pages = self.s3.get_paginator(operation).paginate(Bucket=self.bucket, Delimiter=delimiter, PaginationConfig={"PageSize": size})
                        for p in pages:
                            here = p.get("Contents", []) + p.get("CommonPrefixes", [])
                            self.assertLessEqual(len(here), size)
                            keys += [o["Key"] for o in p.get("Contents", [])]
                            prefixes += [o["Prefix"] for o in p.get("CommonPrefixes", [])]
                        if delimiter:
                            self.assertEqual((keys, prefixes), ([k for k in self.keys if "/" not in k], ["d%d/" % d for d in range(5)]))
                        else:
                            self.assertEqual(keys, self.keys)

    def test_options(self):
        for args, want in (
            ({"Prefix": "d3/"}, [k for k in self.keys if k.startswith("d3/")]),
            ({"Prefix": "d3/0", "StartAfter": "d3/06"}, ["d3/07", "d3/08"]),
            ({"StartAfter": "top5"}, ["top6"]),
            ({"Prefix": "none"}, []),
            ({"MaxKeys": 0}, []),
        ):
            with self.subTest(**args):
                got = self.s3.list_objects_v2(Bucket=self.bucket, **args)
                self.assertEqual([o["Key"] for o in got.get("Contents", [])], want)
                self.assertEqual(got["KeyCount"], len(want))
        self.refused("InvalidArgument", 400, self.s3.list_objects_v2, Bucket=self.bucket, ContinuationToken="nonsense")


class Versions(Case):
    def test_versions(self):
        self.s3.put_object(Bucket=self.bucket, Key="k", Body=b"null")
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        ids = [self.s3.put_object(Bucket=self.bucket, Key="k", Body=b"v%d" % n)["VersionId"] for n in range(5)]
        marker = self.s3.delete_object(Bucket=self.bucket, Key="k")
        self.assertTrue(marker["DeleteMarker"])
        want = [marker["VersionId"]] + ids[::-1] + ["null"]
        for size in (1, 2, 3, 100):
            got, latest = [], []
            for p in self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, PaginationConfig={"PageSize": size}):
                entries = p.get("DeleteMarkers", []) + p.get("Versions", [])
                got += [v["VersionId"] for v in entries]
                latest += [v["VersionId"] for v in entries if v["IsLatest"]]
            self.assertEqual((got, latest), (want, [marker["VersionId"]]))
        self.refused("NoSuchKey", 404, self.s3.get_object, Bucket=self.bucket, Key="k")
        self.refused("MethodNotAllowed", 405, self.s3.get_object, Bucket=self.bucket, Key="k", VersionId=marker["VersionId"])
        self.refused("NoSuchVersion", 404, self.s3.get_object, Bucket=self.bucket, Key="k", VersionId="x" * 32)
        for n, id in enumerate(ids):
            self.assertEqual(self.body("k", VersionId=id), b"v%d" % n)
        self.assertEqual(self.body("k", VersionId="null"), b"null")
        copied = self.s3.copy_object(Bucket=self.bucket, Key="c", CopySource={"Bucket": self.bucket, "Key": "k", "VersionId": ids[1]})
        self.assertEqual(copied["CopySourceVersionId"], ids[1])
        self.assertEqual(self.body("c"), b"v1")
        answer = self.s3.delete_objects(Bucket=self.bucket, Delete={"Objects": [{"Key": "k", "VersionId": i} for i in want]})
        self.assertEqual({d["VersionId"] for d in answer["Deleted"]}, set(want))
        self.assertEqual([v["Key"] for v in self.s3.list_object_versions(Bucket=self.bucket)["Versions"]], ["c"])


class Multipart(Case):
    def test_transfer(self):
        data = os.urandom((17 << 20) + 5)
        with open("large", "wb") as f:
            f.write(data)
        self.s3.upload_file("large", self.bucket, "large", ExtraArgs={"Metadata": {"a": "b"}}, Config=TransferConfig(multipart_threshold=6 << 20, multipart_chunksize=6 << 20))
        head = self.s3.head_object(Bucket=self.bucket, Key="large")
        parts = [data[i:i + (6 << 20)] for i in range(0, len(data), 6 << 20)]
        etag = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()
        self.assertEqual((head["ETag"], head["Metadata"]), ('"%s-%d"' % (etag, len(parts)), {"a": "b"}))
        self.s3.download_file(self.bucket, "large", "back")
        with open("back", "rb") as f:
            self.assertEqual(f.read(), data)
        for n, part in enumerate(parts, 1):
            self.assertEqual(self.body("large", PartNumber=n), part)

    def test_requests(self):
        key = {"Bucket": self.bucket, "Key": "parts"}
        id = self.s3.create_multipart_upload(ContentType="text/p", **key)["UploadId"]
        bodies = {n: os.urandom(5 << 20) for n in (1, 7)}
        bodies[10000] = b"end"
        etags = {n: self.s3.upload_part(UploadId=id, PartNumber=n, Body=b, **key)["ETag"] for n, b in bodies.items()}
        listed = [p["PartNumber"] for page in self.s3.get_paginator("list_parts").paginate(UploadId=id, PaginationConfig={"PageSize": 1}, **key) for p in page["Parts"]]
        self.assertEqual(listed, [1, 7, 10000])
        complete = lambda numbers, **over: self.s3.complete_multipart_upload(
            UploadId=id, MultipartUpload={"Parts": [{"PartNumber": n, "ETag": over.get("etag", etags[1] if n not in etags else etags[n])} for n in numbers]}, **key)
        self.refused("InvalidPart", 400, complete, numbers=[1, 2])
        self.refused("InvalidPart", 400, complete, numbers=[1], etag='"%s"' % ("0" * 32))
        self.refused("InvalidPartOrder", 400, complete, numbers=[7, 1])
        self.refused("InvalidArgument", 400, self.s3.upload_part, UploadId=id, PartNumber=10001, Body=b"", **key)
        complete([1, 7, 10000])
        self.assertEqual(self.body("parts"), b"".join(bodies.values()))
        self.refused("NoSuchUpload", 404, self.s3.list_parts, UploadId=id, **key)
        self.refused("NoSuchUpload", 404, self.s3.upload_part, UploadId="nonsense", PartNumber=1, Body=b"", **key)
        id = self.s3.create_multipart_upload(**key)["UploadId"]
        self.assertEqual([u["UploadId"] for u in self.s3.list_multipart_uploads(Bucket=self.bucket)["Uploads"]], [id])
        self.s3.abort_multipart_upload(UploadId=id, **key)
        self.assertNotIn("Uploads", self.s3.list_multipart_uploads(Bucket=self.bucket))


class Errors(Case):
    def test_codes(self):
        self.s3.put_object(Bucket=self.bucket, Key="k", Body=b"0123456789")
        own, other, b = self.s3, s3("destination"), self.bucket
        for code, status, call, args in (
            ("NoSuchBucket", 404, own.list_objects_v2, {"Bucket": "not-there"}),
            ("NoSuchBucket", 404, own.put_object, {"Bucket": "not-there", "Key": "k", "Body": b""}),
            ("404", 404, own.head_bucket, {"Bucket": "not-there"}),
            ("404", 404, own.head_object, {"Bucket": b, "Key": "none"}),
            ("NoSuchKey", 404, own.get_object, {"Bucket": b, "Key": "none"}),
            ("InvalidRange", 416, own.get_object, {"Bucket": b, "Key": "k", "Range": "bytes=10-"}),
            ("PreconditionFailed", 412, own.get_object, {"Bucket": b, "Key": "k", "IfMatch": '"x"'}),
            ("304", 304, own.get_object, {"Bucket": b, "Key": "k", "IfNoneMatch": own.head_object(Bucket=b, Key="k")["ETag"]}),
            ("BucketAlreadyExists", 409, other.create_bucket, {"Bucket": b}),
            ("BucketNotEmpty", 409, own.delete_bucket, {"Bucket": b}),
            ("AccessDenied", 403, other.get_object, {"Bucket": b, "Key": "k"}),
            ("AccessDenied", 403, other.put_object, {"Bucket": b, "Key": "k", "Body": b""}),
            ("403", 403, other.head_object, {"Bucket": b, "Key": "k"}),
            ("AccessDenied", 403, own.list_objects_v2, {"Bucket": b, "ExpectedBucketOwner": DESTINATION}),
            ("KeyTooLongError", 400, own.put_object, {"Bucket": b, "Key": "k" * 1025, "Body": b""}),
            ("BadDigest", 400, own.put_object, {"Bucket": b, "Key": "k", "Body": b"a", "ContentMD5": base64.b64encode(b"0" * 16).decode()}),
            ("InvalidDigest", 400, own.put_object, {"Bucket": b, "Key": "k", "Body": b"a", "ContentMD5": "x"}),
            ("InvalidStorageClass", 400, own.put_object, {"Bucket": b, "Key": "k", "Body": b"a", "StorageClass": "FAST"}),
            ("MetadataTooLarge", 400, own.put_object, {"Bucket": b, "Key": "k", "Body": b"", "Metadata": {"m": "v" * 2100}}),
            ("ReplicationConfigurationNotFoundError", 404, own.get_bucket_replication, {"Bucket": b}),
            ("NoSuchBucketPolicy", 404, own.get_bucket_policy, {"Bucket": b}),
            ("MalformedPolicy", 400, own.put_bucket_policy, {"Bucket": b, "Policy": "{"}),
            ("NoSuchTagSet", 404, own.get_bucket_tagging, {"Bucket": b}),
            ("MalformedXML", 400, own.delete_objects, {"Bucket": b, "Delete": {"Objects": []}}),
            ("NotImplemented", 501, own.put_object, {"Bucket": b, "Key": "k", "Body": b"", "ServerSideEncryption": "aws:kms:dsse"}),
        ):
            with self.subTest(code=code, call=call.__name__, args=str(args)[:80]):
                self.refused(code, status, call, **args)

    def test_keys(self):
        for key, secret, code in (("AKIAIOSFODNN7EXAMPLE", "x", "InvalidAccessKeyId"), (boto3.Session(profile_name="source").get_credentials().access_key, "x", "SignatureDoesNotMatch")):
            with self.subTest(code=code):
                c = boto3.client("s3", endpoint_url=ENDPOINT, aws_access_key_id=key, aws_secret_access_key=secret, config=Config(**ONCE))
                self.refused(code, 403, c.list_buckets)


class Access(Case):
    def test_session(self):
        iam, sts = client("iam"), client("sts")
        trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": SOURCE}, "Action": "sts:AssumeRole"}]}
        grant = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::%s/in/*" % self.bucket}]}
        role = iam.create_role(RoleName="boto-reader", AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        self.assertEqual(role["AssumeRolePolicyDocument"], trust)
        iam.put_role_policy(RoleName="boto-reader", PolicyName="p", PolicyDocument=json.dumps(grant))
        self.assertEqual(iam.get_role_policy(RoleName="boto-reader", PolicyName="p")["PolicyDocument"], grant)
        for k in ("in/a", "out/a"):
            self.s3.put_object(Bucket=self.bucket, Key=k, Body=k.encode())
        got = sts.assume_role(RoleArn=role["Arn"], RoleSessionName="boto", DurationSeconds=900)["Credentials"]
        c = boto3.client("s3", endpoint_url=ENDPOINT, aws_access_key_id=got["AccessKeyId"], aws_secret_access_key=got["SecretAccessKey"], aws_session_token=got["SessionToken"], config=Config(**ONCE))
        self.assertEqual(c.get_object(Bucket=self.bucket, Key="in/a")["Body"].read(), b"in/a")
        self.assertIn("s3:GetObject", self.refused("AccessDenied", 403, c.get_object, Bucket=self.bucket, Key="out/a"))
        self.refused("AccessDenied", 403, c.put_object, Bucket=self.bucket, Key="in/b", Body=b"")
        url = c.generate_presigned_url("get_object", {"Bucket": self.bucket, "Key": "in/a"})
        with urllib.request.urlopen(url) as got:
            self.assertEqual(got.read(), b"in/a")
        self.refused("DeleteConflict", 409, iam.delete_role, RoleName="boto-reader")
        self.refused("NoSuchEntity", 404, iam.get_role, RoleName="nobody")
        self.refused("EntityAlreadyExists", 409, iam.create_role, RoleName="boto-reader", AssumeRolePolicyDocument=json.dumps(trust))


class Control(Case):
    def ended(self, c, job):
        """The job, as soon as it has ended."""
        deadline = time.monotonic() + 60
        while True:
            got = c.describe_job(AccountId=SOURCE, JobId=job)["Job"]
            if got["Status"] in ("Complete", "Failed", "Cancelled"):
                return got
            self.assertLess(time.monotonic(), deadline, got)

    def test_own_manifest(self):
        """A job over a list that someone brings along, with a line that is
        gone and one that no rule selects."""
        self.s3.put_bucket_versioning(Bucket=self.bucket, VersioningConfiguration={"Status": "Enabled"})
        dst = s3("destination")
        dst.create_bucket(Bucket="boto-control-dst")
        dst.put_bucket_versioning(Bucket="boto-control-dst", VersioningConfiguration={"Status": "Enabled"})
        iam, src, to = client("iam"), "arn:aws:s3:::" + self.bucket, "arn:aws:s3:::boto-control-dst"

        def role(name, service, *grants):
            statement = lambda action, resource: {"Effect": "Allow", "Action": action, "Resource": resource}
            trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]}
            arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
            iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement(*g) for g in grants]}))
            return arn

        repl = role("boto-repl", "s3.amazonaws.com", ("s3:GetReplicationConfiguration", src), ("s3:ListBucket", src), ("s3:GetObjectVersion*", src + "/*"), ("s3:Replicate*", to + "/*"))
        batch = role("boto-batch", "batchoperations.s3.amazonaws.com", ("s3:InitiateReplication", src + "/*"), (["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"], src + "/*"))
        dst.put_bucket_policy(Bucket="boto-control-dst", Policy=json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": repl}, "Action": ["s3:ReplicateObject", "s3:ReplicateTags"], "Resource": to + "/*"}]}))
        ids = {k: self.s3.put_object(Bucket=self.bucket, Key=k, Body=k.encode())["VersionId"] for k in ("in/a b", "in/ü+", "in/gone", "out/c")}
        self.s3.put_bucket_replication(Bucket=self.bucket, ReplicationConfiguration={"Role": repl, "Rules": [{
            "ID": "in", "Status": "Enabled", "Priority": 1, "Filter": {"Prefix": "in/"}, "DeleteMarkerReplication": {"Status": "Disabled"}, "Destination": {"Bucket": to}}]})
        lines = ["%s,%s,%s" % (self.bucket, urllib.parse.quote(k), v) for k, v in ids.items()]
        self.s3.delete_object(Bucket=self.bucket, Key="in/gone", VersionId=ids["in/gone"])
        etag = self.s3.put_object(Bucket=self.bucket, Key="list.csv", Body="\n".join(lines).encode())["ETag"]
        spec = {
            "AccountId": SOURCE, "ConfirmationRequired": False, "Operation": {"S3ReplicateObject": {}}, "Priority": 5, "RoleArn": batch,
            "Report": {"Enabled": True, "Bucket": src, "Format": "Report_CSV_20180820", "Prefix": "r", "ReportScope": "AllTasks"},
            "Manifest": {"Spec": {"Format": "S3BatchOperations_CSV_20180820", "Fields": ["Bucket", "Key", "VersionId"]}, "Location": {"ObjectArn": src + "/list.csv", "ETag": etag.strip('"')}},
        }
        for name, c in (("proxy", control_by_proxy()), ("hook", control_by_hook())):
            with self.subTest(way=name):
                job = c.create_job(ClientRequestToken=name, **spec)["JobId"]
                self.assertEqual(c.create_job(ClientRequestToken=name, **spec)["JobId"], job)
                self.refused("IdempotencyException", 400, c.create_job, ClientRequestToken=name, **dict(spec, Priority=6))
                got = self.ended(c, job)
                progress = got["ProgressSummary"]
                self.assertEqual((got["Status"], progress["TotalNumberOfTasks"], progress["NumberOfTasksSucceeded"], progress["NumberOfTasksFailed"]), ("Complete", 4, 2, 2), got)
                summary = json.loads(self.body("r/job-%s/manifest.json" % job))
                rows = [l.split(",", 6) for r in summary["Results"] for l in self.body(r["Key"]).decode().splitlines()]
                self.assertEqual(sorted((r[1], r[3], r[5].strip('"')) for r in ([f.strip('"') for f in row] for row in rows)), sorted([
                    (urllib.parse.quote("in/a b"), "succeeded", ""), (urllib.parse.quote("in/ü+"), "succeeded", ""),
                    ("in/gone", "failed", "SrcKeyNotFound"), ("out/c", "failed", "SrcObjectNotEligible")]))
                self.assertIn(job, [j["JobId"] for p in c.get_paginator("list_jobs").paginate(AccountId=SOURCE) for j in p["Jobs"]] if c.can_paginate("list_jobs") else [j["JobId"] for j in c.list_jobs(AccountId=SOURCE)["Jobs"]])
                self.refused("JobStatusException", 400, c.update_job_status, AccountId=SOURCE, JobId=job, RequestedJobStatus="Cancelled")
        for k in ("in/a b", "in/ü+"):
            got = dst.get_object(Bucket="boto-control-dst", Key=k, VersionId=ids[k])
            self.assertEqual((got["Body"].read(), got["ReplicationStatus"]), (k.encode(), "REPLICA"))
        spec["Manifest"]["Location"]["ETag"] = "0" * 32
        c = control_by_hook()
        job = c.create_job(ClientRequestToken="etag", **spec)["JobId"]
        got = self.ended(c, job)
        self.assertEqual(got["Status"], "Failed")
        self.assertTrue(got["FailureReasons"])


class Settings(Case):
    def test_read_on_every_refresh(self):
        """What infrastructure tools read of each bucket: an answer, or AWS's word for none."""
        b = {"Bucket": "boto-settings-none"}
        self.s3.create_bucket(**b)
        for call, answer in (
                ("get_bucket_notification_configuration", {}), ("get_bucket_logging", {}), ("get_bucket_accelerate_configuration", {}),
                ("get_bucket_request_payment", {"Payer": "BucketOwner"}), ("get_bucket_versioning", {}),
                ("list_bucket_inventory_configurations", {"IsTruncated": False}), ("list_bucket_analytics_configurations", {"IsTruncated": False}),
                ("list_bucket_metrics_configurations", {"IsTruncated": False}), ("list_bucket_intelligent_tiering_configurations", {"IsTruncated": False})):
            with self.subTest(call=call):
                got = getattr(self.s3, call)(**b)
                got.pop("ResponseMetadata")
                self.assertEqual(got, answer)
        for call, code in (("get_bucket_cors", "NoSuchCORSConfiguration"), ("get_bucket_website", "NoSuchWebsiteConfiguration"),
                           ("get_bucket_policy", "NoSuchBucketPolicy"), ("get_bucket_tagging", "NoSuchTagSet"),
                           ("get_bucket_replication", "ReplicationConfigurationNotFoundError")):
            with self.subTest(call=call):
                self.refused(code, 404, getattr(self.s3, call), **b)

    def test_pages_of_configurations(self):
        ids = ["id-%03d" % i for i in range(105)]
        for i in ids:
            self.s3.put_bucket_metrics_configuration(Bucket=self.bucket, Id=i, MetricsConfiguration={"Id": i, "Filter": {"And": {"Prefix": "p", "Tags": [{"Key": "k", "Value": "ü&<"}]}}})
        got = self.s3.list_bucket_metrics_configurations(Bucket=self.bucket)
        self.assertEqual((len(got["MetricsConfigurationList"]), got["IsTruncated"]), (100, True))
        rest = self.s3.list_bucket_metrics_configurations(Bucket=self.bucket, ContinuationToken=got["NextContinuationToken"])
        self.assertEqual([m["Id"] for m in got["MetricsConfigurationList"] + rest["MetricsConfigurationList"]], ids)
        self.assertEqual(rest["MetricsConfigurationList"][0]["Filter"]["And"]["Tags"], [{"Key": "k", "Value": "ü&<"}])

    def test_put_and_get(self):
        """Each document comes back as it was put."""
        cors = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["http://*.a:80", "http://b"]}, {"ID": "x", "AllowedHeaders": ["*"], "AllowedMethods": ["PUT", "POST"], "AllowedOrigins": ["*"], "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 0}]
        self.s3.put_bucket_cors(Bucket=self.bucket, CORSConfiguration={"CORSRules": cors})
        self.assertEqual(self.s3.get_bucket_cors(Bucket=self.bucket)["CORSRules"], cors)
        lambdas = [{"Id": "f", "LambdaFunctionArn": "arn:aws:lambda:us-east-1:111111111111:function:f", "Events": ["s3:ObjectCreated:Put", "s3:ObjectTagging:*"], "Filter": {"Key": {"FilterRules": [{"Name": "Suffix", "Value": ".jpg"}]}}}]
        self.s3.put_bucket_notification_configuration(Bucket=self.bucket, NotificationConfiguration={"LambdaFunctionConfigurations": lambdas, "EventBridgeConfiguration": {}}, SkipDestinationValidation=True)
        got = self.s3.get_bucket_notification_configuration(Bucket=self.bucket)
        self.assertEqual((got["LambdaFunctionConfigurations"], got["EventBridgeConfiguration"]), (lambdas, {}))
        inventory = {"Id": "i", "IsEnabled": False, "IncludedObjectVersions": "All", "Filter": {"Prefix": "p/"}, "OptionalFields": ["Size"], "Schedule": {"Frequency": "Daily"},
                     "Destination": {"S3BucketDestination": {"AccountId": SOURCE, "Bucket": "arn:aws:s3:::" + self.bucket, "Format": "CSV", "Prefix": "inv", "Encryption": {"SSES3": {}}}}}
        self.s3.put_bucket_inventory_configuration(Bucket=self.bucket, Id="i", InventoryConfiguration=inventory)
        self.assertEqual(self.s3.get_bucket_inventory_configuration(Bucket=self.bucket, Id="i")["InventoryConfiguration"], inventory)
        status = {"LoggingEnabled": {"TargetBucket": self.bucket, "TargetPrefix": ""}}
        self.s3.put_bucket_logging(Bucket=self.bucket, BucketLoggingStatus=status)
        self.assertEqual(self.s3.get_bucket_logging(Bucket=self.bucket)["LoggingEnabled"], status["LoggingEnabled"])
        self.s3.put_bucket_logging(Bucket=self.bucket, BucketLoggingStatus={})


if __name__ == "__main__":
    unittest.main(verbosity=2, warnings="ignore")
