//! What the port answers besides AWS's protocols: health, readiness, the development clock.

use std::net::IpAddr;

use hyper::header::{CONTENT_TYPE, HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;
use strongroom_model::clock::Clock;

use super::dispatch::Dispatch;
use super::exchange::{Front, header};
use super::response::{self, Answer};

/// Answers a GET that is not an API call; `None` for everything else.
pub(super) fn answer<D: Dispatch>(front: &Front<D>, head: &Parts) -> Option<Answer> {
    if head.method != Method::GET && head.method != Method::HEAD {
        return None;
    }
    match head.uri.path() {
        "/" if head.uri.query().is_none() => {
            // DynamoDB's own answer: it names the endpoint that was asked, and ends in a blank.
            let host =
                head.uri.authority().map_or_else(|| header(&head.headers, &HOST), |name| name.as_str());
            Some(response::text(StatusCode::OK, format!("healthy: {host} ")))
        }
        "/health" => Some(response::text(StatusCode::OK, "healthy\n")),
        "/ready" if front.app.ready() && !*front.draining.borrow() => {
            Some(response::text(StatusCode::OK, "ready\n"))
        }
        "/ready" => Some(response::text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n")),
        _ => None,
    }
}

/// Refuses what a web page from elsewhere sends to a development server, which takes any credentials:
/// without this, every page that a developer visits could use the tables.
pub(super) fn refuse_foreign_page<D>(front: &Front<D>, head: &Parts) -> Option<Answer> {
    front.movable_clock.as_ref()?;
    let origin = head.headers.get(ORIGIN)?.to_str().unwrap_or_default();
    let authority = origin.split_once("://").map(|(_, authority)| authority).unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let local = host == "localhost"
        || host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .is_ok_and(|ip: IpAddr| ip.is_loopback());
    let text = "with --dev, pages from elsewhere are refused\n";
    (!local).then(|| response::text(StatusCode::FORBIDDEN, text))
}

/// Moves the development clock forward and answers the new time.
pub(super) fn move_clock<D>(front: &Front<D>, head: &Parts, body: &[u8]) -> Answer {
    let Some(clock) = &front.movable_clock else {
        return response::text(StatusCode::NOT_FOUND, "the clock can be moved only with --dev\n");
    };
    if head.method != Method::POST {
        return response::text(StatusCode::METHOD_NOT_ALLOWED, "POST {\"AdvanceSeconds\": n}\n");
    }
    // A web page can send a form or plain text anywhere, but not JSON: only a program gets through.
    if !header(&head.headers, &CONTENT_TYPE).starts_with("application/json") {
        let text = "send it as content-type application/json\n";
        return response::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, text);
    }
    match serde_json::from_slice::<MoveClock>(body) {
        Ok(by) if by.advance_seconds <= ADVANCE_SECONDS_MAX => {
            // `advance_millis` takes at most 49 days at a time.
            let mut seconds = by.advance_seconds;
            while seconds > 0 {
                let step = seconds.min(u32::MAX / 1000);
                clock.advance_millis(step * 1000);
                seconds -= step;
            }
            let now = clock.now_millis();
            let text = chrono::DateTime::from_timestamp_millis(now).map(|time| time.to_rfc3339());
            response::json(StatusCode::OK, &json!({"NowMillis": now, "Now": text}))
        }
        _ => {
            let text = format!("send {{\"AdvanceSeconds\": 0 to {ADVANCE_SECONDS_MAX}}}\n");
            response::text(StatusCode::BAD_REQUEST, text)
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MoveClock {
    advance_seconds: u32,
}

pub(super) const CLOCK_PATH: &str = "/_strongroom/clock";
// Ten years: enough for yearly rotation, and dates stay in range.
const ADVANCE_SECONDS_MAX: u32 = 10 * 366 * 86_400;
