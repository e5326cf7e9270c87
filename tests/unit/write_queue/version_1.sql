CREATE TABLE body (
    id INTEGER PRIMARY KEY,
    refs INTEGER NOT NULL,      -- how many objects and parts have these bytes: a copy shares them
    size INTEGER NOT NULL,      -- bytes
    md5 BLOB NOT NULL,          -- 16 bytes; what fsck compares with
    file TEXT,                  -- name of the file; NULL: the bytes are in `data`
    data BLOB
);
INSERT INTO "body" VALUES(1,1,5,X'8B04D5E3775D298E78455EFC5CA404D5',NULL,X'6669727374');
INSERT INTO "body" VALUES(2,1,6,X'A9F0E61A137D86AA9DB53465E0801612',NULL,X'7365636F6E64');
INSERT INTO "body" VALUES(3,1,5,X'DD5C8BF51558FFCBE5007071908E9524',NULL,X'7468697264');
INSERT INTO "body" VALUES(4,1,70000,X'BBE08E77A44B51DE811B3D30272B9916','96ba3ade2b6e8ef5b80847e9d849845b',NULL);
INSERT INTO "body" VALUES(5,1,7,X'723634AA8CDE73188D4661BB3FE81CE4',NULL,X'72656675736564');
INSERT INTO "body" VALUES(6,1,7,X'723634AA8CDE73188D4661BB3FE81CE4',NULL,X'72656675736564');
INSERT INTO "body" VALUES(7,1,3,X'22AF645D1859CB5CA6DA0C484F1F37EA',NULL,X'6E6577');
INSERT INTO "body" VALUES(8,1,4,X'F4C9385F1902F7334B00B9B4ECD164DE',NULL,X'70617274');
CREATE TABLE bucket (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- never used again: what still refers to a deleted bucket must not find another
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    location TEXT NOT NULL,                 -- LocationConstraint; '' is us-east-1
    versioning TEXT                         -- Enabled, Suspended, or NULL: never enabled
);
INSERT INTO "bucket" VALUES(1,'bucket',0,'','Enabled');
CREATE TABLE bucket_setting (
    bucket INTEGER NOT NULL,                -- bucket.id
    name TEXT NOT NULL,                     -- the query name of the subresource: cors, policy, tagging, ...
    value TEXT NOT NULL,                    -- JSON of the members as the codec parsed them; of a policy its text
    PRIMARY KEY (bucket, name)
) WITHOUT ROWID;
CREATE TABLE completed (
    upload_id TEXT PRIMARY KEY,             -- of an upload that is an object now: completing it again gets the same answer
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    at INTEGER NOT NULL,                    -- removed some days later
    answer TEXT NOT NULL                    -- JSON of the output members
) WITHOUT ROWID;
INSERT INTO "completed" VALUES('000660ea33cc97516342c2429bbef5e7526e68713c34326b',1,X'7061727473',1795408867,'{"Location": "http://bucket.localhost/parts", "Bucket": "bucket", "Key": "parts", "ETag": "\"1819d1a8700e59901a48215b8577ac07-1\"", "ChecksumCRC64NVME": "v+lYbwd1k6E=", "ChecksumType": "FULL_OBJECT", "VersionId": "AAZg6jPMn08n5YSnJxKIccshcfWSZh3T"}');
CREATE TABLE known_bucket (
    name TEXT PRIMARY KEY,
    versioning TEXT,                            -- Enabled, Suspended, '' (never enabled); NULL: the remote did not say
    asked REAL NOT NULL                         -- seconds since 1970; 0: taken for granted, the remote was never asked
) WITHOUT ROWID;
INSERT INTO "known_bucket" VALUES('bucket','Enabled',0.0);
CREATE TABLE last_answer (
    name TEXT PRIMARY KEY,                      -- of the operation: ListBuckets
    value TEXT NOT NULL                         -- the document that the remote answered last
) WITHOUT ROWID;
CREATE TABLE ledger (
    seq INTEGER PRIMARY KEY,                    -- operation.seq of what is at the remote
    bucket TEXT NOT NULL,
    key BLOB NOT NULL,
    kind TEXT NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT,                                  -- these three as the remote confirmed them
    checksum TEXT,
    version_id TEXT,
    accepted REAL NOT NULL,
    pushed REAL NOT NULL
);
INSERT INTO "ledger" VALUES(1,'bucket',X'707573686564','put',4,'841a2d689ad86bd1611447453c22c6fc',NULL,'v1',1.79540886791158223146e+09,1.79540886791240811345e+09);
CREATE TABLE noncurrent (
    bucket INTEGER NOT NULL,    -- bucket.id
    key BLOB NOT NULL,          -- UTF-8, or whatever bytes the client sent
    seq INTEGER NOT NULL,       -- order of the versions of a key: microseconds since 1970, or the next after the one before
    version TEXT,               -- VersionId; NULL is the version "null", written while versions were not enabled
    modified INTEGER NOT NULL,
    size INTEGER NOT NULL,      -- bytes
    etag TEXT NOT NULL,         -- without its quotes
    body INTEGER,               -- body.id; NULL: no bytes, or several bodies (`upload`)
    upload INTEGER,             -- part.upload of an object that came as a multipart upload, else NULL
    headers TEXT NOT NULL,      -- JSON, [[name, value], ...]: system and user metadata as they go out
    tags TEXT,                  -- JSON, {key: value}; NULL: none
    storage_class TEXT,         -- NULL: STANDARD
    checksum TEXT,              -- ALGORITHM:BASE64, with -N at the end if it is one of checksums
    acl TEXT,                   -- JSON, [grant, ...]; NULL: the owner alone has all rights

    marker INTEGER NOT NULL,                -- 1: a delete marker
    PRIMARY KEY (bucket, key, seq DESC)
) WITHOUT ROWID;
INSERT INTO "noncurrent" VALUES(1,X'7265706C61636564',1795408867921338,'AAZg6jPMjbqqPOfJrf8v5lb8fjecuzAV',1795408867,7,'723634aa8cde73188d4661bb3fe81ce4',6,NULL,'[["Content-Type", "binary/octet-stream"]]',NULL,NULL,'CRC64NVME:MmWz3pF04eg=',NULL,0);
INSERT INTO "noncurrent" VALUES(1,X'736D616C6C',1795408867914944,'AAZg6jPMdMBG_tmqYZw0AMpDeFl-g0q3',1795408867,0,'',NULL,NULL,'[]',NULL,NULL,NULL,NULL,1);
INSERT INTO "noncurrent" VALUES(1,X'736D616C6C',1795408867914231,'AAZg6jPMcfcLe31HG11TFDcim6sIh1j2',1795408867,6,'a9f0e61a137d86aa9db53465e0801612',2,NULL,'[["Content-Type", "binary/octet-stream"]]','{"t": "1"}',NULL,'CRC64NVME:CvnJ4fIWpz4=',NULL,0);
INSERT INTO "noncurrent" VALUES(1,X'736D616C6C',1795408867913552,'AAZg6jPMb1Bs9_wzBj0bsC-aUD7Wr1HT',1795408867,5,'8b04d5e3775d298e78455efc5ca404d5',1,NULL,'[["x-amz-meta-m", "1"], ["Content-Type", "binary/octet-stream"]]',NULL,NULL,'CRC64NVME:wE1dmMvEEDE=',NULL,0);
CREATE TABLE object (
    bucket INTEGER NOT NULL,    -- bucket.id
    key BLOB NOT NULL,          -- UTF-8, or whatever bytes the client sent
    seq INTEGER NOT NULL,       -- order of the versions of a key: microseconds since 1970, or the next after the one before
    version TEXT,               -- VersionId; NULL is the version "null", written while versions were not enabled
    modified INTEGER NOT NULL,
    size INTEGER NOT NULL,      -- bytes
    etag TEXT NOT NULL,         -- without its quotes
    body INTEGER,               -- body.id; NULL: no bytes, or several bodies (`upload`)
    upload INTEGER,             -- part.upload of an object that came as a multipart upload, else NULL
    headers TEXT NOT NULL,      -- JSON, [[name, value], ...]: system and user metadata as they go out
    tags TEXT,                  -- JSON, {key: value}; NULL: none
    storage_class TEXT,         -- NULL: STANDARD
    checksum TEXT,              -- ALGORITHM:BASE64, with -N at the end if it is one of checksums
    acl TEXT,                   -- JSON, [grant, ...]; NULL: the owner alone has all rights

    PRIMARY KEY (bucket, key)
) WITHOUT ROWID;
INSERT INTO "object" VALUES(1,X'6661696C6564',1795408867919958,'AAZg6jPMiFaOreMkSPMVe_lzh8k7qZ90',1795408867,7,'723634aa8cde73188d4661bb3fe81ce4',5,NULL,'[["Content-Type", "binary/octet-stream"]]',NULL,NULL,'CRC64NVME:MmWz3pF04eg=',NULL);
INSERT INTO "object" VALUES(1,X'6C61726765',1795408867918083,'AAZg6jPMgQNblyHlL0RAfDi4NK-fkbWq',1795408867,70000,'bbe08e77a44b51de811b3d30272b9916',4,NULL,'[["Content-Type", "text/plain"]]','{"a": "b"}',NULL,'CRC64NVME:k3+OMkVJQ3M=',NULL);
INSERT INTO "object" VALUES(1,X'7061727473',1795408867925839,'AAZg6jPMn08n5YSnJxKIccshcfWSZh3T',1795408867,4,'1819d1a8700e59901a48215b8577ac07-1',NULL,1795408867923793,'[["x-amz-meta-m", "2"], ["Content-Type", "binary/octet-stream"]]',NULL,NULL,'CRC64NVME:v+lYbwd1k6E=',NULL);
INSERT INTO "object" VALUES(1,X'7265706C61636564',1795408867922939,'AAZg6jPMk_uuw5j22H0QaszrBDTfzOiT',1795408867,3,'22af645d1859cb5ca6da0c484f1f37ea',7,NULL,'[["Content-Type", "binary/octet-stream"]]',NULL,NULL,'CRC64NVME:nYnBzD+/Oko=',NULL);
INSERT INTO "object" VALUES(1,X'736D616C6C',1795408867915533,'AAZg6jPMdw0voCdZ1l8F9ihDfhfqOe3Q',1795408867,5,'dd5c8bf51558ffcbe5007071908e9524',3,NULL,'[["Content-Type", "binary/octet-stream"]]',NULL,NULL,'CRC64NVME:V+dwdaPdgTQ=',NULL);
CREATE TABLE operation (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,      -- order of acceptance; never used again
    bucket TEXT NOT NULL,                       -- its name
    key BLOB NOT NULL,
    kind TEXT NOT NULL,                         -- put, upload, delete, tag
    state TEXT NOT NULL,                        -- pending, pushing (may be at the remote already), failed, held
    accepted REAL NOT NULL,                     -- seconds since 1970
    version INTEGER,                            -- object.seq or noncurrent.seq of what it pushes; NULL: tag
    size INTEGER NOT NULL,                      -- bytes of the object; 0: delete, tag
    headers TEXT NOT NULL,                      -- JSON, [[name, value], ...]: the client's, as they go to the remote
    tags TEXT,                                  -- of a tag: JSON, {key: value}; NULL: none are to be left
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt REAL NOT NULL DEFAULT 0,       -- seconds since 1970; not before that
    error TEXT,                                 -- JSON of the last attempt's error
    superseded INTEGER NOT NULL DEFAULT 0,      -- 1: failed, and a later change replaces all of it
    remote_upload TEXT                          -- of an upload: the remote's UploadId
);
INSERT INTO "operation" VALUES(2,'bucket',X'736D616C6C','put','pending',1.79540886791358065598e+09,1795408867913552,5,'[["x-amz-meta-m", "1"]]',NULL,0,0.0,NULL,0,NULL);
INSERT INTO "operation" VALUES(3,'bucket',X'736D616C6C','put','pending',1.79540886791433429718e+09,1795408867914231,6,'[]',NULL,0,0.0,NULL,0,NULL);
INSERT INTO "operation" VALUES(4,'bucket',X'736D616C6C','delete','pending',1.79540886791502285e+09,1795408867914944,0,'[]',NULL,0,0.0,NULL,0,NULL);
INSERT INTO "operation" VALUES(5,'bucket',X'736D616C6C','put','pending',1.79540886791557288172e+09,1795408867915533,5,'[]',NULL,0,0.0,NULL,0,NULL);
INSERT INTO "operation" VALUES(6,'bucket',X'6C61726765','put','pushing',1.79540886791811275476e+09,1795408867918083,70000,'[["content-type", "text/plain"]]',NULL,1,0.0,NULL,0,NULL);
INSERT INTO "operation" VALUES(7,'bucket',X'6C61726765','tag','pending',1.79540886791946029663e+09,NULL,0,'[]','{"a": "b"}',0,0.0,NULL,0,NULL);
INSERT INTO "operation" VALUES(8,'bucket',X'6661696C6564','put','failed',1.79540886791998171808e+09,1795408867919958,7,'[]',NULL,1,0.0,'{"code": "AccessDenied", "message": "no", "status": 403, "at": 1.0}',0,NULL);
INSERT INTO "operation" VALUES(9,'bucket',X'7265706C61636564','put','failed',1.79540886792136764526e+09,1795408867921338,7,'[]',NULL,1,0.0,'{"code": "AccessDenied", "message": "no", "status": 403, "at": 1.0}',1,NULL);
INSERT INTO "operation" VALUES(10,'bucket',X'7265706C61636564','put','pending',1.79540886792300772665e+09,1795408867922939,3,'[]',NULL,0,0.0,NULL,0,NULL);
INSERT INTO "operation" VALUES(11,'bucket',X'7061727473','upload','pushing',1.79540886792589735989e+09,1795408867925839,4,'[["x-amz-meta-m", "2"]]',NULL,1,0.0,NULL,0,'remote-id');
CREATE TABLE part (
    upload INTEGER NOT NULL,                -- upload.id
    number INTEGER NOT NULL,                -- 1 to 10000
    body INTEGER,                           -- body.id; NULL: no bytes
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,                     -- without its quotes
    checksum TEXT,                          -- ALGORITHM:BASE64
    modified INTEGER NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;
INSERT INTO "part" VALUES(1795408867923793,1,8,4,'f4c9385f1902f7334b00b9b4ecd164de','CRC64NVME:v+lYbwd1k6E=',1795408867);
CREATE TABLE pushed_part (
    operation INTEGER NOT NULL,                 -- operation.seq
    number INTEGER NOT NULL,                    -- the part's
    etag TEXT NOT NULL,                         -- as the remote gave it
    PRIMARY KEY (operation, number)
) WITHOUT ROWID;
CREATE TABLE trash (
    file TEXT PRIMARY KEY       -- to be removed: its body has no row any more
) WITHOUT ROWID;
CREATE TABLE upload (
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- stays that of the object's parts after the upload is completed
    upload_id TEXT NOT NULL UNIQUE,         -- UploadId
    bucket INTEGER NOT NULL,
    key BLOB NOT NULL,
    initiated INTEGER NOT NULL,
    headers TEXT NOT NULL,                  -- these four as those of an object
    tags TEXT,
    storage_class TEXT,
    acl TEXT,
    algorithm TEXT,                         -- x-amz-checksum-algorithm as asked for, or NULL
    checksum_type TEXT                      -- COMPOSITE or FULL_OBJECT, as asked for or the algorithm's default
);
INSERT INTO "upload" VALUES(1795408867927382,'000660ea33cca5568d0427f9457573860463e6120886a198',1,X'6F70656E',1795408867,'[["Content-Type", "binary/octet-stream"]]',NULL,NULL,NULL,NULL,'FULL_OBJECT');
CREATE TABLE upload_request (
    upload INTEGER PRIMARY KEY,                 -- upload.id of an upload in progress
    headers TEXT NOT NULL                       -- as operation.headers, of its CreateMultipartUpload
);
INSERT INTO "upload_request" VALUES(1795408867927382,'[]');
CREATE TABLE usage (
    bytes INTEGER NOT NULL,                     -- of all bodies
    files INTEGER NOT NULL                      -- operations that have one
);
INSERT INTO "usage" VALUES(70037,8);
CREATE INDEX noncurrent_null ON noncurrent(bucket, key) WHERE version IS NULL;
CREATE INDEX upload_order ON upload(bucket, key, id);
CREATE INDEX body_file ON body(file) WHERE file IS NOT NULL;
CREATE INDEX operation_key ON operation(bucket, key, seq, kind, superseded);
CREATE INDEX operation_due ON operation(seq, next_attempt, size) WHERE state IN ('pending', 'pushing');
CREATE INDEX operation_state ON operation(state, seq);
CREATE INDEX ledger_pushed ON ledger(pushed);
CREATE INDEX ledger_key ON ledger(bucket, key, seq);
CREATE TRIGGER body_came AFTER INSERT ON body BEGIN UPDATE usage SET bytes = bytes + new.size; END;
CREATE TRIGGER body_went AFTER DELETE ON body BEGIN UPDATE usage SET bytes = bytes - old.size; END;
CREATE TRIGGER operation_came AFTER INSERT ON operation WHEN new.kind IN ('put', 'upload')
    BEGIN UPDATE usage SET files = files + 1; END;
CREATE TRIGGER operation_went AFTER DELETE ON operation WHEN old.kind IN ('put', 'upload')
    BEGIN UPDATE usage SET files = files - 1; END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('bucket',1);
INSERT INTO "sqlite_sequence" VALUES('operation',11);
INSERT INTO "sqlite_sequence" VALUES('upload',1795408867927382);
PRAGMA user_version = 1;
PRAGMA application_id = 1932747808;
