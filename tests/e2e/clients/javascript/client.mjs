// The AWS SDK for JavaScript v3 in its usual workflow. Arguments: endpoint and bucket; keys and region from the environment.
// Prints one JSON document: the SHA-256 of what was sent and the checksums that the client computed, for the test to
// compare with what the remote stores. Any failed expectation ends it with an exception.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import http from "node:http";
import { PassThrough, Readable } from "node:stream";
import {
  ChecksumAlgorithm,
  CopyObjectCommand,
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  GetObjectTaggingCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  PutObjectCommand,
  PutObjectTaggingCommand,
  S3Client,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { createPresignedPost } from "@aws-sdk/s3-presigned-post";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const [endpoint, Bucket] = process.argv.slice(2);
const s3 = new S3Client({ endpoint, region: process.env.AWS_REGION, forcePathStyle: true, maxAttempts: 1 });
const MIB = 1 << 20;
const report = {};

// What goes over the wire is what makes this client worth a test, so it is noted: the form of each body.
const forms = new Set();
s3.middlewareStack.add(
  (next) => (args) => {
    const coding = args.request.headers["content-encoding"] ?? "plain";
    forms.add(`${args.request.headers["x-amz-content-sha256"]?.replace(/^[0-9a-f]{64}$/, "hash")} ${coding}`);
    return next(args);
  },
  { step: "finalizeRequest", priority: "low", name: "noteForm" },
);

const sha256 = (data) => createHash("sha256").update(data).digest("hex");
const stream = (data, step) =>
  Readable.from((function* () { for (let at = 0; at < data.length; at += step) yield data.subarray(at, at + step); })());

async function read(Key, options = {}) {
  const answer = await s3.send(new GetObjectCommand({ Bucket, Key, ChecksumMode: "ENABLED", ...options }));
  return Buffer.from(await answer.Body.transformToByteArray());
}

// A stream over http has no payload hash: unsigned aws-chunked with the checksum in a trailer.
for (const algorithm of Object.values(ChecksumAlgorithm).filter((name) => process.env.ALGORITHMS.split(" ").includes(name))) {
  for (const [form, size] of [["stream", 300_001], ["buffer", 5_000], ["empty", 0]]) {
    const data = randomBytes(size);
    const Key = `checksums/${algorithm} ${form}`;
    const answer = await s3.send(new PutObjectCommand({
      Bucket, Key, Body: form === "stream" ? stream(data, 70_000) : data, ContentLength: size, ChecksumAlgorithm: algorithm,
      ContentType: "text/x-js", Metadata: { owner: "me" },
    }));
    assert.equal(sha256(await read(Key)), sha256(data));
    report[Key] = { sha256: sha256(data), checksum: answer[`Checksum${algorithm}`], algorithm };
  }
}

// The defaults: no algorithm named.
const plain = randomBytes(200_000);
await s3.send(new PutObjectCommand({ Bucket, Key: "a b/+é", Body: stream(plain, 64_000), ContentLength: plain.length }));
report["a b/+é"] = { sha256: sha256(plain) };
assert.deepEqual(await read("a b/+é", { Range: "bytes=1000-1999" }), plain.subarray(1000, 2000));
const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "a b/+é" }));
assert.equal(head.ContentLength, plain.length);
await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key: "missing" })), { name: "NoSuchKey" });
await assert.rejects(
  s3.send(new PutObjectCommand({ Bucket, Key: "a b/+é", Body: "other", IfNoneMatch: "*" })), { name: "PreconditionFailed" });
await assert.rejects(
  s3.send(new PutObjectCommand({ Bucket, Key: "wrong", Body: "x", ChecksumSHA256: sha256("y").slice(0, 43) + "=" })));

// lib-storage: parts in parallel, from a stream whose length nobody knows.
const big = randomBytes(17 * MIB + 9);
const source = new PassThrough();
stream(big, 300_000).pipe(source);
const upload = new Upload({ client: s3, params: { Bucket, Key: "big", Body: source }, queueSize: 3, partSize: 5 * MIB });
const steps = [];
upload.on("httpUploadProgress", (step) => steps.push(step.loaded));
await upload.done();
assert.equal(steps.at(-1), big.length);
assert.equal(sha256(await read("big")), sha256(big));
report.big = { sha256: sha256(big) };

await s3.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource: encodeURI(`${Bucket}/a b/`) + encodeURIComponent("+é") }));
report.copy = { sha256: sha256(plain) };
await s3.send(new PutObjectTaggingCommand({ Bucket, Key: "copy", Tagging: { TagSet: [{ Key: "team", Value: "red" }] } }));
const tags = await s3.send(new GetObjectTaggingCommand({ Bucket, Key: "copy" }));
assert.deepEqual(tags.TagSet, [{ Key: "team", Value: "red" }]);

// Lists in pages, then deletes.
const names = Array.from({ length: 11 }, (_, number) => `list/${String(number).padStart(2, "0")}`);
for (const Key of names) await s3.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
const listed = [];
for await (const page of paginateListObjectsV2({ client: s3, pageSize: 4 }, { Bucket, Prefix: "list/" })) {
  listed.push(...page.Contents.map((entry) => entry.Key));
}
assert.deepEqual(listed, names);
await s3.send(new DeleteObjectCommand({ Bucket, Key: names[0] }));
const gone = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: names.slice(1).map((Key) => ({ Key })) } }));
assert.equal(gone.Deleted.length, names.length - 1);

// Presigned: URLs and a browser form. By default the SDK puts the checksum of the empty body that it has itself into the URL,
// which S3 does not look at; SeaweedFS does.
const signer = new S3Client({ endpoint, region: process.env.AWS_REGION, forcePathStyle: true, requestChecksumCalculation: "WHEN_REQUIRED" });
for (const client of process.env.DIRECT ? [signer] : [signer, s3]) {
  const put = await getSignedUrl(client, new PutObjectCommand({ Bucket, Key: "by url" }), { expiresIn: 300 });
  assert.equal((await fetch(put, { method: "PUT", body: "by url" })).status, 200);
}
const get = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "by url" }), { expiresIn: 300 });
assert.equal(await (await fetch(get)).text(), "by url");
report["by url"] = { sha256: sha256("by url") };
const post = await createPresignedPost(s3, { Bucket, Key: "by form", Conditions: [["content-length-range", 1, 1000]] });
const form = new FormData();
for (const [name, value] of Object.entries(post.fields)) form.append(name, value);
form.append("file", new Blob(["by form"]), "name.txt");
assert.equal((await fetch(post.url, { method: "POST", body: form })).status, 204);
report["by form"] = { sha256: sha256("by form") };

// Many small requests over few kept connections.
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
const few = new S3Client({ endpoint, region: process.env.AWS_REGION, forcePathStyle: true, maxAttempts: 1, requestHandler: { httpAgent: agent } });
await Promise.all(Array.from({ length: 60 }, async (_, number) => {
  await few.send(new PutObjectCommand({ Bucket, Key: `small/${number}`, Body: `body ${number}` }));
  const answer = await few.send(new GetObjectCommand({ Bucket, Key: `small/${number}` }));
  assert.equal(await answer.Body.transformToString(), `body ${number}`);
  report[`small/${number}`] = { sha256: sha256(`body ${number}`) };
}));
few.destroy();
agent.destroy();

await s3.send(new CreateBucketCommand({ Bucket: "made-by-javascript" }));
const buckets = await s3.send(new ListBucketsCommand({}));
assert.ok(buckets.Buckets.some((entry) => entry.Name === "made-by-javascript"));
await s3.send(new DeleteBucketCommand({ Bucket: "made-by-javascript" }));

console.log(JSON.stringify({ objects: report, forms: [...forms].sort() }));
