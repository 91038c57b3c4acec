//! What the driver begins with, and the pieces that it puts in.

/// Conditions and key conditions.
pub const CONDITIONS: &[&str] = &[
    "pk = :s AND sk BETWEEN :n AND :n",
    "pk = :s AND begins_with(sk, :s)",
    "#a = :s and sk >= :n",
    "attribute_exists(m.y[1]) AND NOT (size(#c) > :n OR #b IN (:s, :n, :l))",
    "contains(ss, :s) OR attribute_type(l[2].k, :s)",
    "((a = :s) AND (b <> :n))",
];

/// Updates.
pub const UPDATES: &[&str] = &[
    "SET n = n + :n, m.x = if_not_exists(m.z, :s), l = list_append(l, :l)",
    "SET l[5] = :m REMOVE m.y[0], l[0] ADD ns :ns DELETE ss :ss",
    "ADD n :n, #c.count :n",
    "REMOVE #b",
];

/// Projections.
pub const PROJECTIONS: &[&str] = &["pk, m.y[1], l[2].k", "#a, #b, #c.x", "l[0],l[1],l[2]"];

/// Pieces of expressions.
pub const EXPRESSION_WORDS: &[&str] = &[
    "pk",
    "sk",
    "m",
    "l",
    "#a",
    "#b",
    "#c",
    ":s",
    ":n",
    ":b",
    ":l",
    ":m",
    ":ss",
    ":ns",
    ":null",
    ":t",
    " AND ",
    " OR ",
    "NOT ",
    "(",
    ")",
    " = ",
    " <> ",
    " < ",
    " >= ",
    " BETWEEN ",
    " IN (",
    ",",
    ".",
    "[0]",
    "[99999999999]",
    "size(",
    "attribute_exists(",
    "attribute_not_exists(",
    "attribute_type(",
    "begins_with(",
    "contains(",
    "if_not_exists(",
    "list_append(",
    "SET ",
    " REMOVE ",
    " ADD ",
    " DELETE ",
    " + ",
    " - ",
    "ABORT",
    "\u{1f512}",
    "\0",
];

/// PartiQL statements.
pub const STATEMENTS: &[&str] = &[
    "SELECT * FROM tbl WHERE pk = ? AND sk = ?",
    "SELECT * FROM tbl WHERE pk = 'k' AND sk >= 1 AND sk <= 1",
    "SELECT * FROM tbl WHERE pk IN ['k'] AND (sk < 2 OR sk > 3)",
    "SELECT pk, m.y[1] FROM \"tbl\".\"idx\" WHERE pk IN ['k', 'j'] AND sk BETWEEN 1 AND 2 ORDER BY pk, sk DESC",
    "SELECT * FROM tbl WHERE pk = 'k' AND sk = 1 OR pk = 'j' AND NOT sk > 4 -- note",
    "SELECT s FROM tbl WHERE s IS NOT MISSING AND (n <> 1e5 OR size(ss) >= 2) /* x */;",
    "INSERT INTO tbl VALUE {'pk': 'k', 'sk': -1.5e3, 'l': [1, {'a': null}], 'ss': <<'a', 'b'>>}",
    "UPDATE tbl SET n = n + 1 SET ss = set_add(ss, <<'c'>>) REMOVE l[0] WHERE pk = 'k' AND sk = 1 RETURNING ALL NEW *",
    "FROM tbl WHERE pk = 'k' AND sk = 1 SET l = list_append(l, [2])",
    "DELETE FROM tbl WHERE 'k' = pk AND sk = 1 AND begins_with(s, 'te') RETURNING ALL OLD *",
];

/// Pieces of statements.
pub const PARTIQL_WORDS: &[&str] = &[
    "SELECT ",
    "* ",
    " FROM ",
    "tbl",
    " WHERE ",
    "pk",
    "sk",
    "n",
    "m",
    "l",
    " = ",
    " <> ",
    "!=",
    " < ",
    " >= ",
    "'k'",
    "'j'",
    "1",
    "-1",
    ".5",
    "1e99",
    "true",
    "null",
    "MISSING",
    " AND ",
    " OR ",
    " NOT ",
    " IN ",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    "<<",
    ">>",
    ",",
    ":",
    ".",
    "?",
    " IS ",
    " BETWEEN ",
    "INSERT INTO ",
    " VALUE ",
    "UPDATE ",
    " SET ",
    " REMOVE ",
    "DELETE FROM ",
    " RETURNING ",
    "ALL OLD *",
    "MODIFIED NEW *",
    " ORDER BY ",
    " DESC",
    "list_append(",
    "set_delete(",
    "size(",
    "attribute_exists(",
    "\"",
    "'",
    "`",
    "--",
    "/*",
    "*/",
    "\n",
    ";",
    "@",
    "||",
    " LIKE ",
    "EXISTS(",
    " LIMIT ",
    " AS t",
    "\u{1f512}",
];

/// Tokens, of the bindings that the target asks for.
pub const TOKENS: &[&str] =
    &["AQAAAAAAAAAAAAA=", "AQAAAAAAAAAAAAEQAAEC", "Af//////////AAI=", "AQ==", "=", "A"];

/// Numbers, one or two.
pub const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "1",
    "-1.5",
    "12345678901234567890123456789012345678",
    "9.9999999999999999999999999999999999999E+125",
    "1E-130 -1E-130",
    "1e5 -99999",
    "0.000001 1000000",
    "+.5e+1",
    "1e2147483647",
    "00000000000000000000001",
];

/// Items in JSON.
pub const VALUES: &[&str] = &[
    r#"{"pk":{"S":"a"},"n":{"N":"-1.5e10"},"b":{"B":"AP8="},"t":{"BOOL":true},"z":{"NULL":true}}"#,
    r#"{"l":{"L":[{"S":""},{"L":[]},{"M":{}}]},"m":{"M":{"a":{"M":{"b":{"N":"1"}}}}}}"#,
    r#"{"ss":{"SS":["b","a"]},"ns":{"NS":["2","1.0"]},"bs":{"BS":["AA==",""]}}"#,
];

/// Pieces of JSON.
pub const JSON_WORDS: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "1",
    "-1",
    "1.5",
    "1e400",
    "\"\"",
    "\\u0000",
    "\\ud800",
    "{\"S\":\"a\"}",
    "{\"N\":\"1\"}",
    "{\"L\":[",
    "{\"M\":{\"a\":",
    "\"SS\":[]",
    "\"NS\":[\"1\",\"1\"]",
    "\"BOOL\":\"true\"",
    "\"TableName\":\"tbl\"",
    "\"Item\":",
    "\"Limit\":",
    "\"KeyId\":",
    "\"Statement\":",
    "\"Effect\":\"Allow\"",
    "\\",
    "\u{e9}",
    "\u{1f512}",
];

/// Pieces of stored bytes, as text.
pub const STORED_WORDS: &[&str] = &[
    "\0",
    "\u{1}",
    "\u{2}",
    "\u{3}",
    "\u{10}",
    "\u{7f}",
    "pk",
    "{\"a\":{\"S\":\"b\"}}",
    "\u{ff}",
    "aaaaaaaa",
];

/// Requests: an operation, then its input.
pub const REQUESTS: &[&str] = &[
    "PutItem\n{\"TableName\":\"tbl\",\"Item\":{\"pk\":{\"S\":\"a\"}},\"ReturnValues\":\"NONE\"}",
    "Query\n{\"TableName\":\"tbl\",\"KeyConditionExpression\":\"pk = :a\",\"ExpressionAttributeValues\":{\":a\":{\"S\":\"a\"}},\"Limit\":1}",
    "CreateTable\n{\"TableName\":\"tbl\",\"AttributeDefinitions\":[{\"AttributeName\":\"pk\",\"AttributeType\":\"S\"}],\"KeySchema\":[{\"AttributeName\":\"pk\",\"KeyType\":\"HASH\"}],\"BillingMode\":\"PAY_PER_REQUEST\"}",
    "BatchWriteItem\n{\"RequestItems\":{\"tbl\":[{\"PutRequest\":{\"Item\":{\"pk\":{\"S\":\"a\"}}}}]}}",
    "ExecuteStatement\n{\"Statement\":\"SELECT * FROM tbl\",\"Parameters\":[{\"S\":\"a\"}]}",
    "Encrypt\n{\"KeyId\":\"alias/a\",\"Plaintext\":\"AAAA\",\"EncryptionContext\":{\"a\":\"b\"}}",
    "LookupEvents\n{\"LookupAttributes\":[{\"AttributeKey\":\"EventName\",\"AttributeValue\":\"x\"}],\"MaxResults\":5}",
];

/// Heads of requests, signed by nobody.
pub const SIGNED_HEADS: &[&str] = &[
    "/\nHost: localhost\nX-Amz-Date: 20261122T120000Z\nX-Amz-Target: DynamoDB_20120810.ListTables\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20261122/us-east-1/dynamodb/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, Signature=0000000000000000000000000000000000000000000000000000000000000000",
    "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261122%2Fus-east-1%2Fdynamodb%2Faws4_request&X-Amz-Date=20261122T120000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00\nHost: localhost",
    "/a/../b%2f?x=1&&y\nHost: localhost\nDate: Sun, 22 Nov 2026 12:00:00 GMT\nAuthorization: AWS4-HMAC-SHA256 Credential=A/20261122/r/dynamodb/aws4_request/, SignedHeaders=host;date, Signature=x",
    "/\nAuthorization: Basic AAAA",
];

/// Pieces of signatures.
pub const SIGNATURE_WORDS: &[&str] = &[
    "AWS4-HMAC-SHA256",
    " Credential=",
    ", SignedHeaders=",
    ", Signature=",
    "/20261122/",
    "/us-east-1",
    "/dynamodb",
    "/aws4_request",
    "AKIAIOSFODNN7EXAMPLE",
    "host;x-amz-date",
    ";",
    "=",
    ",",
    "/",
    "%",
    "%2",
    "%2F",
    "&",
    "?",
    "X-Amz-Expires=",
    "604801",
    "\nX-Amz-Date: ",
    "20261122T120000Z",
    "\nX-Amz-Content-Sha256: ",
    "UNSIGNED-PAYLOAD",
    "\nX-Amz-Security-Token: ",
    "\nDate: ",
    "Sun, 22 Nov 2026 12:00:00 GMT",
    "\u{e9}",
    "99999999",
];

/// Key policies.
pub const POLICIES: &[&str] = &[
    r#"{"Version":"2012-10-17","Id":"x","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"}]}"#,
    r#"{"Statement":{"Effect":"Deny","NotPrincipal":"*","NotAction":[],"NotResource":"x"}}"#,
];

/// Names and ARNs.
pub const NAMES: &[&str] = &[
    "tbl",
    "arn:aws:dynamodb:us-east-1:000000000000:table/tbl",
    "arn:aws-cn:kms:cn-north-1:000000000000:key/",
    "arn:aws:kms:us-east-1:000000000000:key/11111111-2222-3333-4444-555555555555",
    "alias/aws/dynamodb",
    "arn:aws:kms:us-east-1:000000000000:alias/x",
    "mrk-1234abcd12ab34cd56ef1234567890ab",
    ":",
    "/",
    "::::::",
    "\u{e9}",
];
