//! The log: one line per event on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

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
    let _ = log.try_init();
    Ok(())
}
