// The AWS SDK for JavaScript v3, as people use it. Run by TestJavaScript.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { after, before, test } from "node:test";
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetBucketLocationCommand,
  GetBucketVersioningCommand,
  GetObjectAttributesCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  ListPartsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  S3ServiceException,
  UploadPartCommand,
  UploadPartCopyCommand,
  paginateListObjectsV2,
  waitUntilBucketExists,
  waitUntilObjectExists,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const Bucket = "js-box";
const client = new S3Client({ endpoint: process.env.ENDPOINT, forcePathStyle: true });

const send = (command) => client.send(command);
const put = (Key, Body, more = {}) => send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = (Key, more = {}) => send(new GetObjectCommand({ Bucket, Key, ...more }));
const head = (Key, more = {}) => send(new HeadObjectCommand({ Bucket, Key, ...more }));
const text = async (Key, more) => (await get(Key, more)).Body.transformToString();

// refused expects AWS's name and status of an error.
const refused = (promise, name, status) =>
  assert.rejects(promise, (e) => {
    assert.ok(e instanceof S3ServiceException, String(e));
    assert.deepEqual([e.name, e.$metadata.httpStatusCode], [name, status], e.message);
    return true;
  });

// silent expects a status in an answer without a body, which names no error.
const silent = (promise, status) =>
  assert.rejects(promise, (e) => {
    assert.equal(e.$metadata?.httpStatusCode, status, String(e));
    return true;
  });

// empty removes every version in a bucket, page by page.
async function empty(name) {
  for (;;) {
    const page = await send(new ListObjectVersionsCommand({ Bucket: name }));
    const Objects = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])].map(({ Key, VersionId }) => ({ Key, VersionId }));
    if (Objects.length === 0) return;
    const { Errors = [] } = await send(new DeleteObjectsCommand({ Bucket: name, Delete: { Objects } }));
    assert.deepEqual(Errors, []);
  }
}

before(async () => {
  await send(new CreateBucketCommand({ Bucket }));
  await waitUntilBucketExists({ client, maxWaitTime: 30 }, { Bucket });
});

after(async () => {
  await empty(Bucket);
  await send(new DeleteBucketCommand({ Bucket }));
  await refused(send(new HeadBucketCommand({ Bucket })), "NotFound", 404);
  client.destroy(); // bodies that nobody read hold connections
});

test("buckets", async () => {
  const { Buckets, Owner } = await send(new ListBucketsCommand({}));
  assert.ok(Buckets.some((b) => b.Name === Bucket && b.CreationDate instanceof Date));
  assert.match(Owner.ID, /^[0-9a-f]{64}$/);
  assert.equal((await send(new HeadBucketCommand({ Bucket }))).BucketRegion, "us-east-1");
  assert.equal((await send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint, undefined);
});

test("put, get, head", async () => {
  const written = await put("a/ü &+.txt", "hello", {
    ContentType: "text/plain; charset=utf-8",
    CacheControl: "no-cache",
    Metadata: { colour: "red" },
    StorageClass: "STANDARD_IA",
  });
  assert.equal(written.ETag, `"${createHash("md5").update("hello").digest("hex")}"`);
  await waitUntilObjectExists({ client, maxWaitTime: 30 }, { Bucket, Key: "a/ü &+.txt" });
  const o = await get("a/ü &+.txt");
  assert.equal(await o.Body.transformToString(), "hello");
  assert.equal(o.ContentType, "text/plain; charset=utf-8");
  assert.deepEqual(o.Metadata, { colour: "red" });
  const h = await head("a/ü &+.txt", { ChecksumMode: "ENABLED" });
  assert.equal(h.ContentLength, 5);
  assert.equal(h.CacheControl, "no-cache");
  assert.equal(h.StorageClass, "STANDARD_IA");
  assert.equal(h.ServerSideEncryption, "AES256");
  assert.equal(h.ChecksumType, "FULL_OBJECT");
  assert.equal(h.ChecksumCRC32, "NhCmhg==");
  assert.equal(await text("a/ü &+.txt", { Range: "bytes=1-2" }), "el");
  assert.equal((await get("a/ü &+.txt", { ResponseContentType: "x/y" })).ContentType, "x/y");
  await refused(get("a/ü &+.txt", { Range: "bytes=9-" }), "InvalidRange", 416);
});

test("streams", async () => {
  const body = randomBytes(300000);
  const stream = (first) => Readable.from([body.subarray(0, first), body.subarray(first)]);
  await put("stream", stream(100000), { ContentLength: body.length });
  assert.deepEqual(Buffer.from(await (await get("stream")).Body.transformToByteArray()), body);
  await refused(put("stream", stream(7), { ContentLength: body.length }), "InvalidChunkSizeError", 400);
});

test("checksums", async () => {
  for (const name of ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"]) {
    const written = await put("sum", "hello", { ChecksumAlgorithm: name });
    const h = await head("sum", { ChecksumMode: "ENABLED" });
    assert.ok(h[`Checksum${name}`], name);
    assert.equal(h[`Checksum${name}`], written[`Checksum${name}`], name);
    assert.equal(await text("sum", { ChecksumMode: "ENABLED" }), "hello");
    const attributes = await send(new GetObjectAttributesCommand({ Bucket, Key: "sum", ObjectAttributes: ["Checksum", "ObjectSize", "ETag"] }));
    assert.equal(attributes.Checksum[`Checksum${name}`], written[`Checksum${name}`], name);
    assert.equal(attributes.ObjectSize, 5);
  }
  const sha512 = createHash("sha512").update("hello").digest("base64");
  assert.equal((await put("sum", "hello", { ChecksumSHA512: sha512 })).ChecksumSHA512, sha512);
  const md5 = createHash("md5").update("hello").digest("base64");
  assert.equal((await put("sum", "hello", { ContentMD5: md5 })).ETag, `"${Buffer.from(md5, "base64").toString("hex")}"`);
  await refused(put("sum", "other", { ContentMD5: md5 }), "BadDigest", 400);
  await refused(put("sum", "other", { ChecksumSHA256: createHash("sha256").update("hello").digest("base64") }), "BadDigest", 400);
  await refused(put("sum", "other", { ChecksumSHA256: "x" }), "InvalidRequest", 400);
});

test("list", async () => {
  for (const key of ["l/1", "l/2", "l/3", "l/sub/4", "l/sub/5", "l/ü"]) await put(key, key);
  const { Contents, CommonPrefixes, KeyCount } = await send(new ListObjectsV2Command({ Bucket, Prefix: "l/", Delimiter: "/" }));
  assert.deepEqual(Contents.map((o) => o.Key), ["l/1", "l/2", "l/3", "l/ü"]);
  assert.deepEqual(CommonPrefixes, [{ Prefix: "l/sub/" }]);
  assert.equal(KeyCount, 5);
  const keys = [];
  for await (const page of paginateListObjectsV2({ client, pageSize: 2 }, { Bucket, Prefix: "l/", EncodingType: "url" })) {
    keys.push(...page.Contents.map((o) => decodeURIComponent(o.Key)));
  }
  assert.deepEqual(keys, ["l/1", "l/2", "l/3", "l/sub/4", "l/sub/5", "l/ü"]);
  assert.equal((await send(new ListObjectsV2Command({ Bucket, Prefix: "none/" }))).KeyCount, 0);
});

test("copy", async () => {
  await put("from", "copied", { Metadata: { a: "1" } });
  const CopySource = `${Bucket}/from`;
  const { CopyObjectResult } = await send(new CopyObjectCommand({ Bucket, Key: "to", CopySource }));
  assert.equal(CopyObjectResult.ETag, (await head("from")).ETag);
  assert.deepEqual((await head("to")).Metadata, { a: "1" });
  await send(new CopyObjectCommand({ Bucket, Key: "to", CopySource, MetadataDirective: "REPLACE", Metadata: { b: "2" } }));
  assert.deepEqual((await head("to")).Metadata, { b: "2" });
  await refused(send(new CopyObjectCommand({ Bucket, Key: "from", CopySource })), "InvalidRequest", 400);
  await refused(send(new CopyObjectCommand({ Bucket, Key: "to", CopySource, CopySourceIfMatch: '"x"' })), "PreconditionFailed", 412);
  await refused(send(new CopyObjectCommand({ Bucket, Key: "to", CopySource: `${Bucket}/none` })), "NoSuchKey", 404);
});

test("upload of lib-storage", async () => {
  const body = randomBytes(12 << 20);
  let parts = 0;
  const upload = new Upload({
    client,
    params: { Bucket, Key: "large", Body: Readable.from([body]), ContentType: "a/b" },
    partSize: 5 << 20,
    queueSize: 3,
  });
  upload.on("httpUploadProgress", () => parts++);
  const done = await upload.done();
  assert.ok(parts >= 3);
  assert.match(done.ETag, /-3"$/);
  const o = await get("large", { ChecksumMode: "ENABLED" });
  assert.equal(o.ContentType, "a/b");
  assert.deepEqual(Buffer.from(await o.Body.transformToByteArray()), body);
  const part = await head("large", { PartNumber: 3 });
  assert.equal(part.PartsCount, 3);
  assert.equal(part.ContentLength, 2 << 20);

  const aborted = new Upload({ client, params: { Bucket, Key: "aborted", Body: Readable.from([body]) } });
  const failed = assert.rejects(aborted.done(), { name: "AbortError" });
  await aborted.abort();
  await failed;
  await refused(head("aborted"), "NotFound", 404);
  await new Upload({ client, params: { Bucket, Key: "small", Body: "small" } }).done();
  assert.equal(await text("small"), "small");
});

test("upload in parts by hand", async () => {
  const Key = "parts";
  const { UploadId } = await send(new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: "SHA256" }));
  const part = await send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: 1, Body: "one", ChecksumAlgorithm: "SHA256" }));
  const { Parts } = await send(new ListPartsCommand({ Bucket, Key, UploadId }));
  assert.equal(Parts[0].ETag, part.ETag);
  assert.equal(Parts[0].ChecksumSHA256, part.ChecksumSHA256);
  await put("from", "copied");
  const copied = await send(new UploadPartCopyCommand({ Bucket, Key, UploadId, PartNumber: 2, CopySource: `${Bucket}/from`, CopySourceRange: "bytes=1-3" }));
  assert.ok(copied.CopyPartResult.ETag);
  const { Uploads } = await send(new ListMultipartUploadsCommand({ Bucket, Prefix: Key }));
  assert.deepEqual(Uploads.map((u) => u.UploadId), [UploadId]);
  await send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
  await refused(send(new ListPartsCommand({ Bucket, Key, UploadId })), "NoSuchUpload", 404);
});

test("presigned", async () => {
  const url = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: "signed", ContentType: "text/plain" }), { expiresIn: 60 });
  const sent = await fetch(url, { method: "PUT", body: "by anybody", headers: { "content-type": "text/plain" } });
  assert.equal(sent.status, 200, await sent.text());
  const read = await fetch(await getSignedUrl(client, new GetObjectCommand({ Bucket, Key: "signed" })));
  assert.equal(await read.text(), "by anybody");
  const spoilt = await fetch(url.replace("signed", "other"), { method: "PUT", body: "x" });
  assert.equal(spoilt.status, 403);
  assert.match(await spoilt.text(), /<Code>SignatureDoesNotMatch<\/Code>/);
  assert.equal((await fetch(`${process.env.ENDPOINT}/${Bucket}/signed`)).status, 403);
});

test("conditions", async () => {
  const { ETag } = await put("if", "1", { IfNoneMatch: "*" });
  await refused(put("if", "2", { IfNoneMatch: "*" }), "PreconditionFailed", 412);
  await refused(put("if", "2", { IfMatch: '"x"' }), "PreconditionFailed", 412);
  await refused(put("if/none", "2", { IfMatch: ETag }), "NoSuchKey", 404);
  await put("if", "2", { IfMatch: ETag });
  assert.equal(await text("if"), "2");
  await refused(get("if", { IfMatch: ETag }), "PreconditionFailed", 412);
  await silent(get("if", { IfNoneMatch: (await head("if")).ETag }), 304);
  await silent(get("if", { IfModifiedSince: new Date(Date.now() + 1000) }), 304);
  await silent(head("if", { IfMatch: ETag }), 412);
  await refused(send(new DeleteObjectCommand({ Bucket, Key: "if", IfMatch: '"x"' })), "PreconditionFailed", 412);
});

test("delete many", async () => {
  const keys = ["d/1", "d/2", "d/<&>"];
  for (const key of keys) await put(key, key);
  const { Deleted, Errors } = await send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects: [...keys, "d/none"].map((Key) => ({ Key })) } }),
  );
  assert.deepEqual(Deleted.map((d) => d.Key).sort(), [...keys, "d/none"].sort());
  assert.equal(Errors, undefined);
  assert.equal((await send(new ListObjectsV2Command({ Bucket, Prefix: "d/" }))).KeyCount, 0);
});

test("tags", async () => {
  await put("tagged", "x", { Tagging: "a=1&b=%C3%BC" });
  assert.equal((await get("tagged")).TagCount, 2);
  const tags = async () => (await send(new GetObjectTaggingCommand({ Bucket, Key: "tagged" }))).TagSet;
  assert.deepEqual(await tags(), [{ Key: "a", Value: "1" }, { Key: "b", Value: "ü" }]);
  await send(new PutObjectTaggingCommand({ Bucket, Key: "tagged", Tagging: { TagSet: [{ Key: "c", Value: "" }] } }));
  assert.deepEqual(await tags(), [{ Key: "c", Value: "" }]);
  const same = [{ Key: "c", Value: "1" }, { Key: "c", Value: "2" }];
  await refused(send(new PutObjectTaggingCommand({ Bucket, Key: "tagged", Tagging: { TagSet: same } })), "InvalidTag", 400);
});

test("versions", async () => {
  const versioned = "js-versions";
  await send(new CreateBucketCommand({ Bucket: versioned }));
  await send(new PutBucketVersioningCommand({ Bucket: versioned, VersioningConfiguration: { Status: "Enabled" } }));
  assert.equal((await send(new GetBucketVersioningCommand({ Bucket: versioned }))).Status, "Enabled");
  const key = { Bucket: versioned, Key: "k" };
  const first = await send(new PutObjectCommand({ ...key, Body: "1" }));
  const second = await send(new PutObjectCommand({ ...key, Body: "2" }));
  assert.notEqual(first.VersionId, second.VersionId);
  const marker = await send(new DeleteObjectCommand(key));
  assert.equal(marker.DeleteMarker, true);
  await refused(send(new GetObjectCommand(key)), "NoSuchKey", 404);
  await refused(send(new GetObjectCommand({ ...key, VersionId: marker.VersionId })), "MethodNotAllowed", 405);
  const old = await send(new GetObjectCommand({ ...key, VersionId: first.VersionId }));
  assert.equal(await old.Body.transformToString(), "1");
  const { Versions, DeleteMarkers } = await send(new ListObjectVersionsCommand({ Bucket: versioned }));
  assert.deepEqual(Versions.map((v) => [v.VersionId, v.IsLatest]), [[second.VersionId, false], [first.VersionId, false]]);
  assert.deepEqual(DeleteMarkers.map((m) => [m.VersionId, m.IsLatest]), [[marker.VersionId, true]]);
  await refused(send(new DeleteBucketCommand({ Bucket: versioned })), "BucketNotEmpty", 409);
  await empty(versioned);
  await send(new DeleteBucketCommand({ Bucket: versioned }));
});

test("keys of the customer", async () => {
  const key = randomBytes(32);
  const mine = {
    SSECustomerAlgorithm: "AES256",
    SSECustomerKey: key.toString("base64"),
    SSECustomerKeyMD5: createHash("md5").update(key).digest("base64"),
  };
  const written = await put("secret", "s", mine);
  assert.equal(written.SSECustomerKeyMD5, mine.SSECustomerKeyMD5);
  assert.equal(await text("secret", mine), "s");
  await refused(get("secret"), "InvalidRequest", 400);
  await silent(head("secret"), 400);
  const other = randomBytes(32);
  const theirs = {
    SSECustomerAlgorithm: "AES256",
    SSECustomerKey: other.toString("base64"),
    SSECustomerKeyMD5: createHash("md5").update(other).digest("base64"),
  };
  await refused(get("secret", theirs), "AccessDenied", 403);
});

test("names of errors", async () => {
  await refused(get("none"), "NoSuchKey", 404);
  await refused(head("none"), "NotFound", 404);
  await refused(send(new ListObjectsV2Command({ Bucket: "js-nowhere" })), "NoSuchBucket", 404);
  await refused(send(new CreateBucketCommand({ Bucket: "UPPER" })), "InvalidBucketName", 400);
  const stranger = (accessKeyId, secretAccessKey) =>
    new S3Client({ endpoint: process.env.ENDPOINT, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  await refused(stranger("AKIANOBODY0000000000", "x").send(new ListBucketsCommand({})), "InvalidAccessKeyId", 403);
  await refused(stranger(process.env.SOURCE_KEY, "x").send(new ListBucketsCommand({})), "SignatureDoesNotMatch", 403);
});
