//! Statements that are refused, with the service's words.

use super::*;

#[test]
fn what_does_not_parse_is_told_as_by_the_service() {
    for (source, detail) in [
        ("SELECT * FROM tbl WHERE pk = 1 foo", "Unexpected token after expression"),
        ("SELECT * FROM tbl WHERE pk = 1 e5", "Unexpected token after expression"),
        ("INSERT INTO tbl VALUE {'pk': 1} foo", "Unexpected token after expression"),
        ("INSERT INTO tbl t VALUE {'pk': 1}", "Unexpected token after expression"),
        ("DELETE FROM tbl WHERE pk = 1 ORDER BY pk", "Unexpected token after expression"),
        ("SELECT * FROM tbl ORDER BY pk WHERE pk = 1", "Unexpected token after expression"),
        ("SELECT * FROM tbl WHERE pk = 1)", "Unexpected token after expression"),
        ("FROM tbl SET c = 1 WHERE pk = 'a'", "Unexpected token after expression"),
        ("UPDATE tbl REMOVE a, b WHERE pk = 1", "Unexpected token after expression"),
        ("SELECT * FROM tbl WHERE pk = 1e2147483648", ""),
        ("SELECT * FROM tbl WHERE pk = 1e99999999999", ""),
        ("SELECT * FROM tbl WHERE pk = 1.5e-2147483647", ""),
        ("SELECT * FROM tbl WHERE pk = 1 # note", ""),
        ("SELECT * FROM tbl WHERE pk = 1 /* note", ""),
        ("SELECT * FROM \"tbl", ""),
        ("SELECT * FROM tbl WHERE pk = 'a", ""),
        ("SELECT * FROM tbl WHERE pk = 1x", ""),
        ("SELECT * FROM tbl WHERE \u{e9} = 1", ""),
        ("SELECT * FROM tbl WHERE", "Unexpected term"),
        ("SELECT * FROM tbl WHERE;", "Unexpected term"),
        ("UPDATE tbl SET a = 1 WHERE", "Unexpected term"),
        ("SELECT * FROM tbl WHERE NOT", "Unexpected term"),
        ("SELECT * FROM tbl WHERE (", "Unexpected term"),
        ("SELECT * FROM", "Unexpected term"),
        ("SELECT * FROM tbl WHERE pk = 1 AND", "Missing right-hand side expression of infix operator"),
        ("SELECT * FROM tbl WHERE pk = 1 OR", "Missing right-hand side expression of infix operator"),
        ("SELECT * FROM tbl WHERE ORDER BY pk", "Unexpected keyword"),
        ("SELECT * FROM tbl WHERE user = 'a'", "Unexpected keyword"),
        ("INSERT INTO tbl (key, a) VALUES (1, 2)", "Unexpected keyword"),
        ("SELECT * FROM tbl WHERE x IS FOO", "Expected type name"),
        ("SELECT * FROM tbl WHERE IS NULL", "Unexpected operator"),
        ("SELECT * FROM tbl WHERE pk = LIKE", "Unexpected operator"),
        ("DELETE FROM", "Expected identifier for simple path"),
        ("DELETE FROM;", "Expected identifier for simple path"),
        ("DELETE FROM WHERE pk = 'a'", "Expected identifier for simple path"),
        ("DELETE tbl", "Expected FROM after DELETE"),
        ("SLECT * FROM tbl WHERE pk = 'a'", "Expected data manipulation"),
        ("UPDATE Payment-tbl SET a = 1 WHERE pk = 'a'", "Expected data manipulation"),
        ("SELECT * FROM tbl WHERE attribute_exists(m.inner)", "Invalid path dot component"),
        ("UPDATE tbl SET m.inner = 1 WHERE pk = 'a'", "Invalid path dot component"),
        ("SELECT *", "Expected FROM after SELECT list"),
        (
            "SELECT * FROM tbl; SELECT * FROM tbl",
            "Unexpected token after semicolon. (Only one query is allowed.)",
        ),
        ("SELECT * FROM tbl WHERE a BETWEEN 1 OR 2", "Expected AND keyword"),
        ("SELECT a FROM tbl WHERE f(a", "Expected RIGHT_PAREN"),
        ("UPDATE tbl SET a WHERE pk = 'a'", "Expected '='"),
    ] {
        assert_eq!(error(source), format!("{MALFORMED}{detail}"), "{source}");
    }
}

#[test]
fn what_dynamodb_does_not_take_is_told_as_by_the_service() {
    let paths = "Two document paths overlap with each other; must remove or rewrite one of these paths; ";
    for (source, message) in [
        ("SELECT * FROM tbl t WHERE pk = 'x'", "Aliasing is not supported"),
        ("SELECT * FROM tbl AS t WHERE pk = 'x'", "Aliasing is not supported"),
        ("SELECT a AS b FROM tbl", "Aliasing is not supported"),
        ("UPDATE tbl t SET a = 3 WHERE pk = 'x'", "Aliasing is not supported"),
        ("DELETE FROM tbl t WHERE pk = 'x'", "Aliasing is not supported"),
        ("x IS INT4", "Unsupported operation: IsType"),
        ("x IS DOUBLE PRECISION", "Unsupported operation: IsType"),
        ("x IS CHARACTER VARYING", "Unsupported operation: IsType"),
        ("CREATE TABLE x", "Unsupported operation: CreateTable"),
        ("EXISTS(SELECT * FROM tbl)", "EXISTS can only be used in ExecuteTransaction write requests."),
        ("SELECT * FROM a.\"b\".\"c\"", "A path may contain at most 2 components in the FROM clause"),
        ("SELECT * FROM tbl.\"\"", "Path component cannot be an empty string"),
        ("SELECT * FROM \"\"", "Path component cannot be an empty string"),
        (
            "SELECT * FROM ab",
            "Table name should be within the length [3, 255] and only contain 'a-z', 'A-Z', '0-9', \
          '-', '_', '.'.",
        ),
        ("SELECT * FROM 'tbl'", "Unexpected from source"),
        ("SELECT * FROM tbl[0]", "Invalid list expression in source."),
        ("SELECT * FROM tbl, tbl2", "Only select from a single table or index is supported."),
        ("UPDATE tbl.idx SET a = 1 WHERE pk = 'a'", "This operation is not supported on an index"),
        (
            "INSERT INTO tbl.idx VALUE {}",
            "FROM clause may only contain a single table name in data manipulation \
          statements",
        ),
        ("SELECT DISTINCT a FROM tbl", "Unsupported token in expression: DISTINCT"),
        ("SELECT VALUE a FROM tbl", "Select projection doesn't support value or pivot keywords"),
        ("SELECT 1 FROM tbl", "Unexpected path component at 1:8:1"),
        ("SELECT attribute_exists(a) FROM tbl", "Unexpected path component at 1:8:16"),
        ("SELECT a, m.a FROM tbl", "Duplicate identifiers in select clause: a"),
        ("SELECT m, m.x FROM tbl", &format!("{paths}path one: [m, x], path two: [m]")),
        ("SELECT m.* FROM tbl", "Changing item's hierarchy while reading isn't supported"),
        (
            "SELECT a[99999999999] FROM tbl",
            "List index is not within the allowable range; index: [99999999999] at \
          1:10:11",
        ),
        ("SELECT * FROM tbl WHERE pk = 'a' LIMIT 1", "Unsupported clause: LIMIT at 1:40:1"),
        ("SELECT * FROM tbl GROUP BY a", "Unsupported clause: GROUP BY"),
        (
            "SELECT * FROM tbl ORDER BY a",
            "Must have WHERE clause in the statement when using ORDER BY clause.",
        ),
        (
            "SELECT * FROM tbl WHERE a = 1 ORDER BY a.b",
            "Argument to ORDER BY must be of type VariableReference. \
          Type: PATH",
        ),
        ("SELECT * FROM tbl WHERE a", "WHERE clause must contain an expression that resolves to a boolean"),
        ("SELECT * FROM tbl WHERE a = 1 AND b", "The arguments to AND/OR must be Expressions"),
        ("SELECT * FROM tbl WHERE NOT a", "The argument to NOT must be a Type or Expression"),
        ("SELECT * FROM tbl WHERE a = MISSING", "MISSING must be compared using IS operator"),
        (
            "SELECT * FROM tbl WHERE a IN []",
            "IN operator must have a left hand argument of type Variable Reference \
          and right hand argument of type Seq with at least one member",
        ),
        ("SELECT * FROM tbl WHERE a + 1 = 2", "Unsupported operator in Condition Expression. Operator: +"),
        (
            "SELECT * FROM tbl WHERE a LIKE 'x%'",
            "Unsupported operator in Condition Expression. Operator: like",
        ),
        ("SELECT * FROM tbl WHERE EXISTS(ss)", "Unrecognized function: exists at 1:25:6"),
        ("SELECT * FROM tbl WHERE set_add(a, <<1>>) = a", "Unrecognized function: set_add at 1:25:7"),
        ("SELECT * FROM tbl\nWHERE foo(a) = 1", "Unrecognized function: foo at 2:7:3"),
        (
            "SELECT * FROM tbl WHERE a < true",
            "Incorrect operand type for operator or function; operator or \
          function: <, operand type: BOOL",
        ),
        (
            "SELECT * FROM tbl WHERE a < b < 1",
            "Incorrect operand type for operator or function; operator or \
          function: <, operand type: BOOL",
        ),
        (
            "SELECT * FROM tbl WHERE attribute_exists('a')",
            "Operator or function requires a document path; operator \
          or function: attribute_exists",
        ),
        (
            "SELECT * FROM tbl WHERE attribute_exists()",
            "Incorrect number of operands for operator or function; \
          operator or function: attribute_exists, number of operands: 0",
        ),
        (
            "SELECT * FROM tbl WHERE a = a",
            "The first operand must be distinct from the remaining operands for this \
          operator or function; operator: =, first operand: [a]",
        ),
        (
            "SELECT * FROM tbl WHERE size(a) IS NULL",
            "The left hand side argument to IS must be a Variable \
          Reference, Literal, or Path",
        ),
        (
            "SELECT * FROM tbl WHERE a IS INT",
            "Unsupported data type for IS operator: INTEGER. Supported data types \
          are [MISSING, NULL, BOOLEAN, BLOB, STRING, NUMERIC, STRUCT, TUPLE, LIST] at 1:27:2",
        ),
        ("INSERT INTO tbl VALUE ?", "Number of parameters in request and statement don't match."),
        (
            "INSERT INTO tbl VALUE 1",
            "Unsupported format in item expression. Please use struct format {...} to \
          express item values for insert statement. at 1:23:1",
        ),
        ("INSERT INTO tbl VALUE {'pk': 1} RETURNING ALL OLD *", "RETURNING is not supported in INSERT"),
        (
            "INSERT INTO tbl VALUES (1, 2)",
            "Unsupported operation: Inserting multiple items in a single statement \
          is not supported, use \"INSERT INTO tableName VALUE item\" instead",
        ),
        (
            "INSERT INTO tbl VALUE {pk: 1}",
            "Tuple keys must be of type String. Actual type: VariableReference under \
          root at 1:24:2",
        ),
        ("INSERT INTO tbl VALUE {'a': 1, 'a': 2}", "Duplicate keys in tuple. Key: a under root at 1:32:3"),
        (
            "INSERT INTO tbl VALUE {'a': set_add(<<1>>, <<2>>)}",
            "Unsupported data type: set_add under key root at \
          1:29:7",
        ),
        ("INSERT INTO tbl VALUE {'a': <<>>}", "Empty bags are not supported"),
        (
            "INSERT INTO tbl VALUE {'a': <<1, 'a'>>}",
            "Unsupported data type in Bag. DynamoDB only supports either \
          numbers or strings in bags",
        ),
        (
            "INSERT INTO tbl VALUE {'a': <<'x', 'x'>>}",
            "One or more parameter values were invalid: Input collection \
          [x, x] contains duplicates.",
        ),
        (
            "INSERT INTO tbl VALUE {'a': `x`}",
            "Ion Literals are not supported: SYMBOL under key root at 1:29:3",
        ),
        ("UPDATE tbl SET n = n * 2 WHERE pk = 'a'", "Unsupported operator in Update Expression. Operator: *"),
        (
            "UPDATE tbl SET n = size(s) WHERE pk = 'a'",
            "The function is not allowed in an update expression; \
          function: size",
        ),
        (
            "UPDATE tbl SET n = n + 'a' WHERE pk = 'a'",
            "Incorrect operand type for operator or function; operator \
          or function: +, operand type: S",
        ),
        (
            "UPDATE tbl SET m = 1 SET m.a = 2 WHERE pk = 'a'",
            &format!("{paths}path one: [m, a], path two: [m]"),
        ),
        (
            "UPDATE tbl SET t = set_add(ss, <<'x'>>) WHERE pk = 'a'",
            "The first argument to SET_ADD must equal the \
          assignment value at 1:20:7",
        ),
        (
            "UPDATE tbl SET ss = set_add(ss, 'x') WHERE pk = 'a'",
            "The second argument to SET_ADD must be a value with \
          type SET at 1:29:2",
        ),
        (
            "UPDATE tbl SET ss = set_delete(ss) WHERE pk = 'a'",
            "SET_DELETE must have exactly two arguments at \
          1:21:10",
        ),
        (
            "DELETE FROM tbl WHERE pk = 'x' RETURNING MODIFIED OLD *",
            "Invalid returning clause: RETURNING MODIFIED \
          OLD *. Only RETURNING ALL OLD * is allowed in DELETE statements.",
        ),
        (
            "UPDATE tbl SET a = 1 WHERE pk = 'x' RETURNING ALL NEW a",
            "Expected '*' after ( MODIFIED | ALL ) ( NEW | \
          OLD ) in RETURNING clause",
        ),
        (
            "UPDATE tbl SET a = 1 WHERE pk = 'x' RETURNING ALL OLD *, ALL NEW *",
            "Invalid syntax with multiple \
          returning elements in RETURNING clause",
        ),
    ] {
        assert_eq!(error(source), message, "{source}");
    }
}

#[test]
fn numbers_that_are_out_of_range_are_told_with_their_place() {
    let overflow = "Number overflow. Attempting to store a number with magnitude larger than supported range";
    let underflow =
        "Number underflow. Attempting to store a number with magnitude smaller than supported range";
    let digits = "Attempting to store more than 38 significant digits in a Number";
    let long = format!("SELECT * FROM tbl WHERE pk = {}", "1".repeat(39));
    for (source, message) in [
        ("SELECT * FROM tbl WHERE pk = 1e126", format!("{overflow} under root")),
        ("SELECT * FROM tbl WHERE pk = 1e-131", format!("{underflow} under root")),
        (&long, format!("{digits} under root")),
        ("UPDATE tbl SET a = 1e-131 WHERE pk = 1", format!("{underflow} under root")),
        ("INSERT INTO tbl VALUE {'pk': 1, 'm': {'x': 1e126}}", format!("{overflow} under root.x")),
        ("INSERT INTO tbl VALUE {'pk': 1, 'l': [1, 1e126]}", format!("{overflow} under root[1]")),
    ] {
        assert_eq!(error(source), message, "{source}");
    }
}

/// Whatever is nested, and however often, is answered without running out of stack.
#[test]
fn depth_and_length_are_bounded() {
    let nested = |open: &str, core: &str, close: &str, depth: usize| {
        format!("SELECT * FROM tbl WHERE a = {}{core}{}", open.repeat(depth), close.repeat(depth))
    };
    let limits = "Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported \
         limit";
    assert!(Statement::parse(&nested("[", "", "]", 32), &[]).is_ok());
    assert_eq!(error(&nested("[", "", "]", 33)), limits);
    assert_eq!(error(&nested("{'a': ", "1", "}", 40)), limits);
    for (open, core, close) in [
        ("[", "", "]"),
        ("(", "1", ")"),
        ("{'a': ", "1", "}"),
        ("f(", "1", ")"),
        ("NOT ", "1", ""),
        ("- ", "a", ""),
    ] {
        let source = nested(open, core, close, 7000 / (open.len() + close.len()));
        assert_eq!(error(&source), format!("{MALFORMED}Expression is nested too deeply"), "{open}");
    }
    let chain = |operator: &str| format!("SELECT * FROM tbl WHERE a{}", format!("{operator}1").repeat(1000));
    for operator in ["+", "=", " AND 1=", " OR 1="] {
        assert_eq!(
            error(&chain(operator)),
            "The expression contains too many operators; operator count: 301"
        );
    }
    let list = vec!["1"; 101].join(",");
    assert_eq!(
        error(&format!("SELECT * FROM tbl WHERE a IN ({list})")),
        "The IN operator is provided with too many operands; number of operands: 101"
    );
    let path = format!("SELECT a{} FROM tbl", "[0]".repeat(2000));
    assert_eq!(error(&path), "The document path has too many nesting levels; nesting levels: 2001");
}
