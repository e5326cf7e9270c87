import base64
import contextlib
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3d.s3.errors import S3Error
from s3d.s3.post_policy import Policy, check_signed, parse

NOW = datetime(2025, 6, 1, tzinfo=UTC)
LATER = "2025-06-01T00:00:01Z"


def encode(document: object) -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    return base64.b64encode(text.encode()).decode()


def policy(*conditions: object, expiration: str = LATER) -> Policy:
    return parse(encode({"expiration": expiration, "conditions": list(conditions)}))


def check(subject: Policy, fields: dict[str, str], bucket: str = "b") -> str | None:
    """The message of the refusal, or None."""
    try:
        subject.check(fields, bucket=bucket, now=NOW)
    except S3Error as caught:
        error = caught
    else:
        return None
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message.startswith("Invalid according to Policy: ")
    return error.message.removeprefix("Invalid according to Policy: ")


def test_policy_of_botocore():
    """As `generate_presigned_post` writes it, with the fields that it tells the page to send."""
    fields = {
        "key": "photos/cat.jpg",
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": "AKIAIOSFODNN7EXAMPLE/20250601/us-east-1/s3/aws4_request",
        "x-amz-date": "20250601T000000Z",
    }
    conditions = [{"bucket": "b"}, ["starts-with", "$key", "photos/"], *({k: v} for k, v in list(fields.items())[1:])]
    subject = policy(*conditions)
    signed = fields | {"policy": "...", "x-amz-signature": "0" * 64}
    assert check(subject, signed) is None
    assert check(subject, signed, "other") == 'Policy Condition failed: ["eq", "$bucket", "b"]'
    assert check(subject, signed | {"key": "x"}) == 'Policy Condition failed: ["starts-with", "$key", "photos/"]'


@pytest.mark.parametrize("expiration", ["2025-05-31T23:59:59Z", "2025-05-31T23:59:59.999Z", "1970-01-01T00:00:00Z"])
def test_expired(expiration):
    assert check(policy(expiration=expiration), {}) == "Policy expired."


@pytest.mark.parametrize(
    "expiration", ["2025-06-01T00:00:00Z", LATER, "2025-06-01T00:00:01.000Z", "9999-12-31T23:59:59Z"]
)
def test_not_expired(expiration):
    assert check(policy(expiration=expiration), {}) is None


@pytest.mark.parametrize(
    ("condition", "value", "holds"),
    [
        ({"acl": "private"}, "private", True),
        ({"acl": "private"}, "Private", False),
        ({"ACL": "private"}, "private", True),
        ({"acl": "private"}, None, False),
        (["eq", "$acl", "private"], "private", True),
        (["EQ", "$Acl", "private"], "private", True),
        (["eq", "$acl", "private"], "private ", False),
        (["eq", "$acl", ""], None, False),
        (["eq", "acl", "private"], "private", False),
        (["starts-with", "$acl", "pri"], "private", True),
        (["StArTs-WiTh", "$acl", "pri"], "private", True),
        (["starts-with", "$acl", "pri"], "public", False),
        (["starts-with", "$acl", "pri"], None, False),
        (["starts-with", "$acl", ""], "anything", True),
        (["starts-with", "$acl", ""], None, True),
        (["starts-with", "acl", ""], "anything", False),
        (["starts-with", "$acl", "a"], "a,b", True),
    ],
)
def test_conditions(condition, value, holds):
    fields = {} if value is None else {"acl": value}
    message = check(policy(condition), fields)
    assert (message is None) == holds
    assert holds or message.startswith("Policy Condition failed: [")


@pytest.mark.parametrize(
    ("value", "holds"), [("image/png", True), ("image/png, image/jpeg", True), ("image/png,text/html", False)]
)
def test_content_types_are_a_list(value, holds):
    message = check(policy(["starts-with", "$Content-Type", "image/"]), {"content-type": value})
    assert message == (None if holds else 'Policy Condition failed: ["starts-with", "$Content-Type", "image/"]')


def test_a_failed_condition_is_quoted_as_the_policy_spells_it():
    message = check(policy({"Content-Disposition": 'filename="ä"'}), {"content-disposition": "x"})
    assert message == r'Policy Condition failed: ["eq", "$Content-Disposition", "filename=\"ä\""]'


@pytest.mark.parametrize("name", ["x-amz-meta-a", "acl", "x-amz-checksum-sha256", "x-amz-security-token", "bucket"])
def test_every_field_must_be_covered(name):
    assert check(policy(), {name: "v"}) == f"Extra input fields: {name}"
    assert check(policy(["starts-with", f"${name}", ""]), {name: "v"}, bucket="v") is None


@pytest.mark.parametrize("name", ["x-amz-signature", "signature", "awsaccesskeyid", "policy", "file", "x-ignore-me"])
def test_fields_that_need_no_condition(name):
    assert check(policy(), {name: "v"}) is None


@pytest.mark.parametrize("bounds", [(5, 10), ("5", "10")])
def test_length_range(bounds):
    subject = policy(["content-length-range", *bounds])
    assert check(subject, {}) is None
    subject.check_length(5)
    subject.check_length(10)
    subject.check_length(0, final=False)
    with pytest.raises(S3Error) as caught:
        subject.check_length(4)
    assert (caught.value.code, caught.value.status) == ("EntityTooSmall", 400)
    assert caught.value.elements == {"ProposedSize": "4", "MinSizeAllowed": "5"}
    for final in (True, False):
        with pytest.raises(S3Error) as caught:
            subject.check_length(11, final=final)
        assert (caught.value.code, caught.value.status) == ("EntityTooLarge", 400)
        assert caught.value.elements == {"ProposedSize": "11", "MaxSizeAllowed": "10"}


def test_every_length_range_counts():
    with pytest.raises(S3Error):
        policy(["content-length-range", 0, 10], ["content-length-range", 0, 5]).check_length(6)


def test_no_length_range():
    policy().check_length(0)
    policy().check_length(5 << 30)


def test_bounds_that_are_no_numbers():
    expected = 'Policy Condition failed: ["content-length-range", "test", "10"]'
    assert check(policy(["content-length-range", "test", "10"]), {}) == expected


def conditions(*items: object) -> object:
    return {"expiration": LATER, "conditions": list(items)}


MALFORMED = {
    "not JSON": ("{oops", "Invalid JSON."),
    "no object": ([], "Invalid JSON."),
    "deep": ("[" * 100_000, "Invalid JSON."),
    "no text": ('{"expiration": "\\ud800", "conditions": []}', "Invalid JSON."),
    "NaN": ('{"expiration": NaN}', "Invalid JSON."),
    "nothing": ({}, "Policy missing expiration."),
    "no expiration": ({"conditions": []}, "Policy missing expiration."),
    "no conditions": ({"expiration": LATER}, "Policy missing conditions."),
    "conditions in capitals": ({"expiration": LATER, "CONDITIONS": []}, "Unexpected: 'conditions'"),
    "policy of a bucket": ({"Statement": []}, "Unexpected: 'statement'"),
    "conditions no list": ({"expiration": LATER, "conditions": {}}, "Invalid 'conditions' value: must be a List."),
    "no date": ({"expiration": "tomorrow", "conditions": []}, "Invalid 'expiration' value: 'tomorrow'"),
    "number as date": ({"expiration": 5, "conditions": []}, "Invalid 'expiration' value: '5'"),
    "day that does not exist": ({"expiration": "2025-02-30T00:00:00Z", "conditions": []}, None),
    "offset": ({"expiration": "2025-06-01T00:00:00+02:00", "conditions": []}, None),
    "no zone": ({"expiration": "2025-06-01T00:00:00", "conditions": []}, None),
    "space": ({"expiration": "2025-06-01 00:00:00Z", "conditions": []}, None),
    "condition of another type": (conditions("test"), 'Invalid condition "test": must be a List or Object.'),
    "empty simple condition": (conditions({}), None),
    "two properties": (
        conditions({"acl": "a", "key": "b"}),
        "Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.",
    ),
    "value no string": (conditions({"content-length": 5}), "Invalid Simple-Condition: value must be a string."),
    "no operator": (conditions([]), "Invalid Condition: missing operation identifier."),
    "operator no string": (conditions([1, "$key", "a"]), "Invalid Condition: missing operation identifier."),
    "unknown operator": (conditions(["ends-with", "$key", "a"]), "Invalid Condition: unknown operation 'ends-with'."),
    "one operand": (conditions(["eq", "$key"]), "Invalid eq: wrong number of arguments."),
    "three operands": (conditions(["eq", "$key", "a", "b"]), "Invalid eq: wrong number of arguments."),
    "operand no string": (conditions(["eq", "$key", 5]), "Invalid JSON."),
    "one bound": (
        conditions(["content-length-range", 0]),
        "Invalid content-length-range: wrong number of arguments.",
    ),
    "float bound": (conditions(["content-length-range", 0, 512.0]), "Invalid JSON."),
    "float as value": (conditions({"acl": 1.5}), "Invalid JSON."),
    "boolean bound": (conditions(["content-length-range", False, True]), "Invalid JSON."),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed(name):
    document, message = MALFORMED[name]
    with pytest.raises(S3Error) as caught:
        parse(encode(document))
    assert (caught.value.code, caught.value.status) == ("InvalidPolicyDocument", 400)
    assert caught.value.message.startswith("Invalid Policy: ")
    assert message is None or caught.value.message == f"Invalid Policy: {message}"


@pytest.mark.parametrize("encoded", ["%%%", "abc", "é", "=", encode(conditions())[:-3] + "_=="])
def test_not_base64(encoded):
    with pytest.raises(S3Error, match=r"InvalidPolicyDocument: Invalid Policy: invalid Base64 encoding\."):
        parse(encoded)


def test_not_utf_8():
    with pytest.raises(S3Error, match="InvalidPolicyDocument: Invalid Policy: Invalid JSON"):
        parse(base64.b64encode(b'{"expiration": "\xe4"}').decode())


def test_line_breaks_in_base64():
    encoded = encode(conditions())
    assert parse(f"{encoded[:10]}\r\n{encoded[10:]}\n") == parse(encoded)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["eq", "$key", "content-length-range"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2),
)


@given(JSON, JSON)
def test_any_document_raises_nothing_but_s3_errors(expiration, items):
    for document in (items, {"expiration": expiration, "conditions": items}, conditions(items)):
        with contextlib.suppress(S3Error):
            subject = parse(encode(document))
            subject.check({"key": "k"}, bucket="b", now=NOW)
            subject.check_length(3)


@pytest.mark.parametrize(
    ("names", "missing"),
    [
        ([], "AWSAccessKeyId"),
        (["signature"], "AWSAccessKeyId"),
        (["awsaccesskeyid"], "Signature"),
        (["x-amz-signature"], "X-Amz-Algorithm"),
        (["x-amz-algorithm", "x-amz-credential", "x-amz-date"], "X-Amz-Signature"),
        (["awsaccesskeyid", "signature"], None),
        (["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"], None),
    ],
)
def test_a_policy_comes_with_its_signature(names, missing):
    if missing is None:
        check_signed(dict.fromkeys(names, "x"))
        return
    with pytest.raises(S3Error) as caught:
        check_signed(dict.fromkeys(names, "x"))
    assert caught.value.code == "InvalidArgument"
    assert caught.value.elements["ArgumentName"] == missing
