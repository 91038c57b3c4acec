//! The log: one line per event on standard error.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The filter is none.
#[derive(Debug, thiserror::Error)]
#[error("`log` is not a filter such as `info` or `strongroom_server::engine=debug`")]
pub struct FilterError(#[from] tracing_subscriber::filter::ParseError);

/// Starts the log for this process; a second start changes nothing.
pub fn start(filter: &str) -> Result<(), FilterError> {
    let filter = EnvFilter::builder().parse(filter)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        // A line that cannot be written (a full disk, a closed pipe) is lost. It must not take a request with it:
        // told of on standard error, which fails again, it would be a panic.
        .log_internal_errors(false);
    // Tests start several servers in one process; the first one's log serves all.
    let _ = log.finish().with(filter_fn(tells_no_contents)).try_init();
    Ok(())
}

// Libraries may trace what they carry, such as the body of a key service's answer with the names of tables in it.
fn tells_no_contents(of: &Metadata<'_>) -> bool {
    *of.level() != Level::TRACE || of.target().starts_with("strongroom")
}
