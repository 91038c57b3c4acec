//! What clients see that are broken, slow or hostile, and that nobody else suffers.

use std::io::Write;
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::{Request, StatusCode};
use serde_json::json;
use strongroom_server::wire::Limits;

use super::echo::{Raw, exchange, json_request, parse, request, start};

fn impatient() -> Limits {
    Limits {
        header_timeout: Duration::from_millis(200),
        body_timeout: Duration::from_millis(200),
        idle_timeout: Duration::from_millis(400),
        ..Limits::default()
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_before_it_is_read() {
    let server = start(Limits { body_bytes_max: 1000, ..Limits::default() }).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send("POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: DynamoDB_20120810.PutItem\r\nContent-Length: 1001\r\n\r\n").await;
    assert!(raw.rest().await.starts_with("HTTP/1.1 413 "));

    let mut raw = Raw::connect(server.address()).await;
    raw.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    raw.send(format!("3e8\r\n{}\r\n1\r\nx\r\n0\r\n\r\n", "x".repeat(1000))).await;
    assert!(raw.rest().await.starts_with("HTTP/1.1 413 "));

    for http2 in [false, true] {
        let large = request("DynamoDB_20120810.PutItem", &[], vec![b' '; 1001]);
        assert_eq!(exchange(server.address(), http2, large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_gzip_bomb_is_refused() {
    let server = start(Limits::default()).await;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..17 {
        packer.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = packer.finish().unwrap();
    assert!(bomb.len() < 200_000);
    let sent = request("DynamoDB_20120810.PutItem", &[("content-encoding", "gzip")], bomb);
    assert_eq!(exchange(server.address(), false, sent).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let sent = request("DynamoDB_20120810.PutItem", &[("content-encoding", "gzip")], "no gzip");
    let (status, headers, body) = exchange(server.address(), false, sent).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(parse(&body), json!({"__type": "com.amazon.coral.service#SerializationException"}));
    assert_eq!(headers["content-type"], "application/x-amz-json-1.0");
    assert_eq!(headers["x-amz-crc32"], crc32fast::hash(&body).to_string());
    let sent = request("DynamoDB_20120810.PutItem", &[("content-encoding", "br")], "{}");
    assert_eq!(exchange(server.address(), false, sent).await.0, StatusCode::BAD_REQUEST);
    server.stop().await;
}

/// Calls take as long as they take: what has been unpacked for them keeps no others from it.
#[tokio::test]
async fn a_call_under_way_keeps_no_place_for_unpacking() {
    let server =
        start(Limits { large_body_bytes_max: 1 << 20, body_bytes_max: 1 << 20, ..Limits::default() }).await;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(b"{}").unwrap();
    let packed = packer.finish().unwrap();
    let begun = Instant::now();
    let slow = (0..100).map(|_| {
        let sent = request("DynamoDB_20120810.ListTables", &[("content-encoding", "gzip")], packed.clone());
        exchange(server.address(), false, sent)
    });
    for (status, _, _) in futures::future::join_all(slow).await {
        assert_eq!(status, StatusCode::OK);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "one after the other would take thirty seconds");
    server.stop().await;
}

/// A client of each service parses the refusal of a body as it parses every other error.
#[tokio::test]
async fn a_refused_body_is_told_in_the_words_of_its_service() {
    let server = start(Limits::default()).await;
    let sent = request("TrentService.ListKeys", &[("content-encoding", "br")], "{}");
    let (status, headers, body) = exchange(server.address(), false, sent).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(parse(&body), json!({"__type": "SerializationException"}));
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    assert_eq!(headers["x-amzn-requestid"].len(), 36);
    let form = Request::post("http://localhost/")
        .header("host", "localhost")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("content-encoding", "gzip")
        .body(Full::new("Action=GetCallerIdentity&Version=2011-06-15".into()))
        .unwrap();
    let (status, headers, body) = exchange(server.address(), false, form).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(headers["content-type"], "text/xml");
    let body = String::from_utf8(body.to_vec()).unwrap();
    assert!(body.contains("<Code>MalformedInput</Code>"), "{body}");
    server.stop().await;
}

/// A peer died of a stack overflow on such a document.
#[tokio::test]
async fn a_document_nested_a_million_deep_is_an_error() {
    let server = start(Limits::default()).await;
    let deep = "[".repeat(8_000_000);
    let sent = request("DynamoDB_20120810.PutItem", &[], deep);
    let (status, _, body) = exchange(server.address(), false, sent).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(parse(&body)["__type"], "com.amazon.coral.validate#ValidationException");
    server.stop().await;
}

#[tokio::test]
async fn headers_are_bounded_in_size_and_number() {
    let server = start(Limits::default()).await;
    let address = server.address();
    let mut raw = Raw::connect(address).await;
    raw.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X-Many: 1\r\n".repeat(101))).await;
    let answer = raw.rest().await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    // The server hangs up on what is too long without reading the rest, so its answer may get lost.
    let mut raw = Raw::connect(address).await;
    raw.send(format!("POST / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n\r\n", "x".repeat(40_000))).await;
    let answer = raw.rest().await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let mut raw = Raw::connect(address).await;
    raw.send("no http at all\r\n\r\n").await;
    assert!(raw.rest().await.starts_with("HTTP/1.1 400 "));
    server.stop().await;
}

#[tokio::test]
async fn headers_are_counted_alike_over_both_protocols() {
    let server = start(Limits::default()).await;
    let names: Vec<String> = (0..98).map(|number| format!("x-{number}")).collect();
    for (count, status) in [(90, StatusCode::OK), (98, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)] {
        for http2 in [false, true] {
            let headers: Vec<(&str, &str)> = names[..count].iter().map(|name| (name.as_str(), "1")).collect();
            let sent = request("DynamoDB_20120810.DescribeLimits", &headers, "{}");
            assert_eq!(exchange(server.address(), http2, sent).await.0, status, "{count} {http2}");
        }
    }
    server.stop().await;
}

/// Slow clients hold connections; each phase of a request has its time.
#[tokio::test]
async fn slow_clients_are_hung_up_on() {
    let server = start(impatient()).await;
    let address = server.address();
    let begun = Instant::now();

    let silent = async {
        let mut raw = Raw::connect(address).await;
        assert_eq!(raw.rest().await, "");
    };
    let half_a_preface = async {
        let mut raw = Raw::connect(address).await;
        raw.send("PRI * HTT").await;
        assert_eq!(raw.rest().await, "");
    };
    let slow_headers = async {
        let mut raw = Raw::connect(address).await;
        raw.send("POST / HTTP/1.1\r\n").await;
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if tokio::io::AsyncWriteExt::write_all(&mut raw.0, b"X-A: b\r\n").await.is_err() {
                break;
            }
        }
        assert_eq!(raw.rest().await, "");
    };
    let slow_headers_later = async {
        let mut raw = Raw::connect(address).await;
        raw.send(json_request("DynamoDB_20120810.DescribeLimits", "{}")).await;
        raw.read_until("Operation").await;
        raw.send("POST / HTT").await;
        assert_eq!(raw.rest().await, "");
    };
    let slow_body = async {
        let mut raw = Raw::connect(address).await;
        let whole = json_request("DynamoDB_20120810.GetItem", r#"{"TableName":"ttt"}"#);
        raw.send(&whole[..whole.len() - 5]).await;
        assert!(raw.rest().await.starts_with("HTTP/1.1 408 "));
    };
    let idle = async {
        let mut raw = Raw::connect(address).await;
        raw.send(json_request("DynamoDB_20120810.DescribeLimits", "{}")).await;
        raw.read_until("Operation").await;
        assert_eq!(raw.rest().await, "");
    };
    let busy = async {
        // Longer than every timeout but never silent: this one stays.
        let mut raw = Raw::connect(address).await;
        for _ in 0..10 {
            raw.send(json_request("DynamoDB_20120810.DescribeLimits", "{}")).await;
            raw.read_until("Operation").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::join!(silent, half_a_preface, slow_headers, slow_headers_later, slow_body, idle, busy);
    assert!(begun.elapsed() < Duration::from_secs(5));
    server.stop().await;
}

#[tokio::test]
async fn a_long_answer_is_not_taken_for_silence() {
    let server = start(Limits { idle_timeout: Duration::from_millis(100), ..impatient() }).await;
    let mut raw = Raw::connect(server.address()).await;
    raw.send(json_request("DynamoDB_20120810.ListTables", "{}")).await;
    raw.read_until("\"Operation\":\"ListTables\"").await;
    server.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_a_place() {
    let server = start(Limits { connections_max: 1, ..Limits::default() }).await;
    let mut first = Raw::connect(server.address()).await;
    first.send(json_request("DynamoDB_20120810.DescribeLimits", "{}")).await;
    first.read_until("Operation").await;
    let mut second = Raw::connect(server.address()).await;
    second.send(json_request("DynamoDB_20120810.DescribeLimits", "{}")).await;
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_until("Operation")).await;
    assert!(early.is_err());
    drop(first);
    second.read_until("Operation").await;
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_disturb_others() {
    let server = start(Limits::default()).await;
    for _ in 0..50 {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(json_request("DynamoDB_20120810.ListTables", "{}")).await;
    }
    let sent = request("DynamoDB_20120810.DescribeTable", &[], r#"{"TableName":"ttt"}"#);
    let (status, _, body) = exchange(server.address(), false, sent).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(parse(&body)["Input"], json!({"TableName": "ttt"}));
    server.stop().await;
}

/// A development server takes any credentials, but not from a web page that a developer happens to visit.
#[tokio::test]
async fn pages_from_elsewhere_do_not_reach_a_development_server() {
    let server = start(Limits::default()).await;
    for (origin, taken) in [
        ("http://localhost:8001", true),
        ("http://127.0.0.1", true),
        ("http://[::1]:3000", true),
        ("https://example.com", false),
        ("http://localhost.example.com:8000", false),
        ("http://127.0.0.1.example.com", false),
        ("null", false),
    ] {
        let sent = request("DynamoDB_20120810.DescribeLimits", &[("origin", origin)], "{}");
        let (status, _, _) = exchange(server.address(), false, sent).await;
        assert_eq!(status, if taken { StatusCode::OK } else { StatusCode::FORBIDDEN }, "{origin}");
    }
    server.stop().await;
}

// A request with a body of which the last bytes are missing.
fn begun_put(body_bytes: usize, sent_bytes: usize) -> String {
    let whole = json_request("DynamoDB_20120810.PutItem", &" ".repeat(body_bytes));
    whole[..whole.len() - (body_bytes - sent_bytes)].to_owned()
}

fn little_memory() -> Limits {
    Limits {
        large_body_bytes_max: 512 << 10,
        body_bytes_max: 1 << 20,
        share_timeout: Duration::from_millis(300),
        ..Limits::default()
    }
}

/// Who announces much and sends nothing takes nothing from others.
#[tokio::test]
async fn announced_bodies_hold_no_memory() {
    // Nobody is given up in the time of this test.
    let limits =
        Limits { large_body_bytes_max: 4 << 20, share_timeout: Duration::from_secs(50), ..little_memory() };
    let server = start(limits).await;
    let mut silent = Vec::new();
    for _ in 0..100 {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(begun_put(1 << 20, 1)).await;
        silent.push(raw);
    }
    let begun = Instant::now();
    let large = format!(r#"{{"TableName":"ttt"{}}}"#, " ".repeat(300_000));
    let sent = request("DynamoDB_20120810.DescribeTable", &[], large);
    assert_eq!(exchange(server.address(), false, sent).await.0, StatusCode::OK);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    drop(silent);
    server.stop().await;
}

/// Who sends much and does not finish makes room for those who do, and bodies that wait for each other finish in turn.
#[tokio::test]
async fn bodies_that_stop_coming_make_room() {
    let server = start(little_memory()).await;
    let mut stalled = Vec::new();
    for _ in 0..8 {
        let mut raw = Raw::connect(server.address()).await;
        raw.send(begun_put(200_000, 130_000)).await;
        stalled.push(raw);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let large = format!(r#"{{"TableName":"ttt"{}}}"#, " ".repeat(400_000));
    let honest = (0..8).map(|_| {
        let sent = request("DynamoDB_20120810.DescribeTable", &[], large.clone());
        tokio::time::timeout(Duration::from_secs(20), exchange(server.address(), false, sent))
    });
    for answer in futures::future::join_all(honest).await {
        assert_eq!(answer.unwrap().0, StatusCode::OK);
    }
    let mut given_up = 0;
    for mut raw in stalled {
        let answer = tokio::time::timeout(Duration::from_millis(100), raw.read_until("\r\n\r\n")).await;
        given_up += usize::from(answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 408 ")));
    }
    assert!(given_up >= 4, "only {given_up} were given up");
    server.stop().await;
}
