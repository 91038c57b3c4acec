//! What well-behaved clients see.

use std::io::{Read, Write};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use serde_json::json;
use strongroom_server::wire::Limits;

use super::echo::{Raw, exchange, json_request, parse, request, start};

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=alice/20260101/eu-west-3/dynamodb/aws4_request, SignedHeaders=host;x-amz-date, Signature=0";

/// One port serves both versions of HTTP; the call that arrives is the same.
#[tokio::test]
async fn http1_and_http2_carry_the_same_call() {
    let server = start(Limits::default()).await;
    for http2 in [false, true] {
        let headers = [("authorization", SIGNED), ("user-agent", "test/1")];
        let request = request("DynamoDB_20120810.DescribeTable", &headers, r#"{"TableName":"ttt"}"#);
        let (status, headers, body) = exchange(server.address(), http2, request).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["content-type"], "application/x-amz-json-1.0");
        assert_eq!(headers["x-amzn-requestid"].len(), 52);
        assert_eq!(headers["x-amz-crc32"], crc32fast::hash(&body).to_string());
        let echoed = parse(&body);
        assert_eq!(echoed["Service"], "DynamoDb");
        assert_eq!(echoed["Operation"], "DescribeTable");
        assert_eq!(echoed["Input"], json!({"TableName": "ttt"}));
        assert_eq!(echoed["Arn"], "arn:aws:iam::000000000000:user/alice");
        assert_eq!(echoed["Region"], "eu-west-3");
        assert_eq!(echoed["UserAgent"], "test/1");
        assert_eq!(echoed["SourceIp"], "127.0.0.1");
    }
    server.stop().await;
}

#[tokio::test]
async fn each_service_has_its_own_headers_and_errors() {
    let server = start(Limits::default()).await;
    let call = async |target, body: &'static str| {
        exchange(server.address(), false, request(target, &[], body)).await
    };
    let (status, headers, _) = call("TrentService.CreateKey", "{}").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(headers["x-amzn-requestid"].len(), 36);
    assert!(!headers.contains_key("x-amz-crc32"));
    let target = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents";
    assert_eq!(parse(&call(target, "{}").await.2)["Service"], "CloudTrail");

    let (status, headers, body) = call("DynamoDB_20120810.DeleteTable", r#"{"TableName":"ttt"}"#).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(headers["x-amz-crc32"], crc32fast::hash(&body).to_string());
    assert_eq!(
        parse(&body),
        json!({
            "__type": "com.amazonaws.dynamodb.v20120810#ResourceNotFoundException",
            "message": "Requested resource not found: Table: t not found",
        }),
    );
    for target in ["DynamoDB_20120810.NoSuchThing", "DynamoDB_20111205.GetItem", "", "x"] {
        let (status, _, body) = call(target, "{}").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert_eq!(parse(&body), json!({"__type": "com.amazon.coral.service#UnknownOperationException"}));
    }
    let (_, _, body) = call("TrentService.NoSuchThing", "{}").await;
    assert_eq!(parse(&body)["__type"], "UnknownOperationException");
    let (_, _, body) = call("TrentService.ListKeys", "[]").await;
    let message = "Start of list found where not expected";
    assert_eq!(parse(&body), json!({"__type": "SerializationException", "Message": message}));
    for body in ["[]", "null", "\"x\"", "7"] {
        let (_, _, body) = call("DynamoDB_20120810.ListTables", body).await;
        assert_eq!(parse(&body), json!({"__type": "com.amazon.coral.service#SerializationException"}));
    }
    let (_, _, body) = call("DynamoDB_20120810.GetItem", "{").await;
    assert_eq!(parse(&body), json!({"__type": "com.amazon.coral.service#SerializationException"}));
    server.stop().await;
}

/// The media type's letters may be of either case, RFC 9110 has it.
#[tokio::test]
async fn a_content_type_is_known_in_any_case() {
    let server = start(Limits::default()).await;
    let sent = Request::post("http://localhost/")
        .header("host", "localhost")
        .header("content-type", "Application/X-Amz-JSON-1.0; charset=UTF-8")
        .header("x-amz-target", "DynamoDB_20120810.DescribeTable")
        .body(Full::new(r#"{"TableName":"ttt"}"#.into()))
        .unwrap();
    assert_eq!(exchange(server.address(), false, sent).await.0, StatusCode::OK);
    server.stop().await;
}

/// A client that discovers endpoints is told to stay where it is, and must be understood whatever way it came.
#[tokio::test]
async fn a_call_knows_where_the_client_has_reached_the_server() {
    let server = start(Limits::default()).await;
    for (http2, forwarded, tls) in
        [(false, "http", false), (true, "", false), (false, "https", true), (true, "HTTPS", true)]
    {
        let headers = [("x-forwarded-proto", forwarded)];
        let sent = request("DynamoDB_20120810.DescribeTable", &headers, r#"{"TableName":"ttt"}"#);
        let (_, _, body) = exchange(server.address(), http2, sent).await;
        assert_eq!(parse(&body)["Reached"], json!(["localhost", tls]), "{http2} {forwarded}");
    }
    server.stop().await;
}

/// Any credentials are accepted in development, and whatever they were made for: no part of a signature is checked.
#[tokio::test]
async fn development_checks_no_part_of_a_signature() {
    let server = start(Limits::default()).await;
    let headers = [("authorization", SIGNED), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")];
    let sent = request("DynamoDB_20120810.DescribeTable", &headers, r#"{"TableName":"ttt"}"#);
    assert_eq!(exchange(server.address(), false, sent).await.0, StatusCode::OK);
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_call_is_told_so_as_the_service_does() {
    let server = start(Limits::default()).await;
    for (method, path, content_type) in
        [("POST", "/", "text/plain"), ("PUT", "/", "application/x-amz-json-1.0"), ("GET", "/nothing", "")]
    {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "localhost")
            .header("content-type", content_type)
            .header("x-amz-target", "DynamoDB_20120810.GetItem")
            .body(Full::new(Bytes::from_static(b"{}")))
            .unwrap();
        let (status, headers, body) = exchange(server.address(), false, request).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{method} {path}");
        assert_eq!(&body[..], b"<UnknownOperationException/>\n");
        assert_eq!(headers["x-amz-crc32"], "3552371480");
    }
    server.stop().await;
}

#[tokio::test]
async fn sts_speaks_form_and_xml() {
    let server = start(Limits::default()).await;
    for presigned in [false, true] {
        let form = "Action=GetCallerIdentity&Version=2011-06-15";
        let request = if presigned {
            Request::get(format!("http://localhost/?{form}"))
        } else {
            Request::post("http://localhost/")
                .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        };
        let body = if presigned { "" } else { form };
        let request = request.header("host", "localhost").body(Full::new(body.into())).unwrap();
        let (status, headers, body) = exchange(server.address(), false, request).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(headers["content-type"], "text/xml");
        let body = String::from_utf8(body.to_vec()).unwrap();
        assert!(body.contains("<Arn>arn:aws:iam::000000000000:root</Arn>"), "{body}");
    }
    server.stop().await;
}

#[tokio::test]
async fn bodies_are_compressed_both_ways() {
    let server = start(Limits::default()).await;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(br#"{"TableName":"ttt","Limit":100000}"#).unwrap();
    let headers = [("content-encoding", "gzip"), ("accept-encoding", "gzip")];
    let sent = request("DynamoDB_20120810.Scan", &headers, packer.finish().unwrap());
    let (status, headers, body) = exchange(server.address(), false, sent).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-encoding"], "gzip");
    assert!(body.len() < 1000);
    assert_eq!(headers["x-amz-crc32"], crc32fast::hash(&body).to_string());
    let mut unpacked = String::new();
    flate2::read::GzDecoder::new(&body[..]).read_to_string(&mut unpacked).unwrap();
    assert_eq!(unpacked.len(), 100_008);

    let small = request(
        "DynamoDB_20120810.Scan",
        &[("accept-encoding", "gzip")],
        r#"{"TableName":"ttt","Limit":500}"#,
    );
    let (_, headers, body) = exchange(server.address(), false, small).await;
    assert!(!headers.contains_key("content-encoding"));
    assert_eq!(body.len(), 508);
    server.stop().await;
}

/// A client may send its next request before it has the answer to the last.
#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = start(Limits::default()).await;
    let mut raw = Raw::connect(server.address()).await;
    let body = |place: usize| format!("{{\"TableName\":\"number-{place}\"}}");
    let all: String =
        (0..20).map(|place| json_request("DynamoDB_20120810.DescribeTable", &body(place))).collect();
    raw.send(all).await;
    let answers = raw.read_until("number-19").await;
    let mut from = 0;
    for place in 0..20 {
        let at = answers[from..].find(&format!("\"number-{place}\"")).expect("in order");
        from += at;
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_in_flight_finishes_while_idle_connections_close() {
    let server = start(Limits::default()).await;
    let address = server.address();
    let mut fresh = Raw::connect(address).await;
    let mut idle = Raw::connect(address).await;
    idle.send(json_request("DynamoDB_20120810.DescribeLimits", "{}")).await;
    idle.read_until("Operation").await;
    let mut busy = Raw::connect(address).await;
    busy.send(json_request("DynamoDB_20120810.ListTables", "{}")).await;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let begun = std::time::Instant::now();
    server.stop().await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(2));
    assert!(busy.rest().await.contains("\"Operation\":\"ListTables\""));
    assert_eq!(idle.rest().await, "");
    assert_eq!(fresh.rest().await, "");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn health_and_the_development_clock() {
    let server = start(Limits::default()).await;
    for (path, text) in [("/", "healthy: localhost"), ("/health", "healthy"), ("/ready", "ready")] {
        let request = Request::get(path).header("host", "localhost").body(Full::default()).unwrap();
        let (status, _, body) = exchange(server.address(), false, request).await;
        assert_eq!(status, StatusCode::OK);
        assert!(body.starts_with(text.as_bytes()), "{path}");
    }
    let advance = async |body: &'static str, content_type| {
        let request = Request::post("/_strongroom/clock")
            .header("host", "localhost")
            .header("content-type", content_type)
            .body(Full::new(body.into()))
            .unwrap();
        exchange(server.address(), false, request).await
    };
    let (_, _, now) = advance(r#"{"AdvanceSeconds":0}"#, "application/json").await;
    let (_, _, later) = advance(r#"{"AdvanceSeconds":31536000}"#, "application/json").await;
    let moved = parse(&later)["NowMillis"].as_i64().unwrap() - parse(&now)["NowMillis"].as_i64().unwrap();
    assert!((31_536_000_000..31_536_010_000).contains(&moved), "{moved}");
    let (status, _, _) = advance(r#"{"AdvanceSeconds":-1}"#, "application/json").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    let (status, _, _) = advance(r#"{"AdvanceSeconds":1}"#, "text/plain").await;
    assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    server.stop().await;
}
