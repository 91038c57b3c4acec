//! The command line.

mod banner;
mod bench;
mod demo;
mod descriptors;
mod environment;
mod logging;
mod numbers;
mod root_key;
mod serve;
mod settings;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use root_key::{RootKeyError, RootKeySetting};
pub use serve::{Claim, ServeError, Serving};
pub use settings::{Given, Settings, SettingsError, TableKeyCacheRenewal, TableKeyCacheScope, Transport};

/// A self-hosted, DynamoDB-compatible database sealed under keys its users hold
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, disable_help_subcommand = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve DynamoDB, KMS, CloudTrail and STS on one port
    Serve(Box<ServeArguments>),
    /// Start a server in a temporary directory and show what it promises, call by call
    Demo,
    /// Load a DynamoDB endpoint, and say how fast it answers and what that costs
    Bench(bench::BenchArguments),
    /// Check a data directory while no server runs: every object authentic, none missing
    Verify(verify::VerifyArguments),
}

#[derive(Debug, clap::Args)]
struct ServeArguments {
    /// Settings file, TOML: the names below with `_` for `-`, without dashes in front
    #[arg(long, env = "STRONGROOM_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Make an access key in place of the earlier ones, which are void from now on, and show it once
    #[arg(long)]
    replace_access_key: bool,
    #[command(flatten)]
    given: Given,
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let done = match CommandLine::parse().command {
        Command::Serve(arguments) => serve(*arguments),
        Command::Demo => demo::run().map_err(Into::into),
        Command::Bench(arguments) => bench::run(&arguments).map_err(Into::into),
        // Its exit code says more than whether it went well.
        Command::Verify(arguments) => return verify::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print_error(&*error);
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: ServeArguments) -> Result<(), Box<dyn std::error::Error>> {
    let file = arguments.config.as_deref().map(Given::from_file).transpose()?;
    let mut settings = arguments.given.over(file.unwrap_or_default())?;
    if settings.dev && arguments.replace_access_key {
        return Err(SettingsError::DevAccessKey.into());
    }
    settings.replace_access_key = arguments.replace_access_key;
    logging::start(&settings.log)?;
    environment::tell_of_unknown_settings();
    forbid_core_dumps();
    use_small_pages();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let claim = runtime.block_on(serve::Claim::take(&settings))?;
    // Asking for a passphrase must not block the runtime, so it is outside.
    let random = strongroom_seal::primitive::OsRandom;
    let root = settings.root_key.provider(&settings.data, claim.is_new(), &random)?;
    runtime.block_on(async {
        // Before anything opens, so that a signal during the start ends in an orderly way too.
        let stop = serve::stop_signal()?;
        let serving = Serving::start(&settings, claim, root).await?;
        let shown = banner::print(&settings, &serving);
        let kept = match shown {
            Ok(()) => serving.keep_new_access_key().await.map_err(Into::into),
            Err(error) => Err(Box::new(error) as Box<dyn std::error::Error>),
        };
        let ready = kept.and_then(|()| Ok(banner::print_ready(&serving)?));
        if ready.is_ok() {
            stop.await;
        }
        serving.stop().await;
        ready
    })
}

/// Keys must not reach the disk in a core dump, nor another process by `ptrace`.
fn forbid_core_dumps() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let limited = setrlimit(Resource::Core, none);
    let hidden = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    if let Err(error) = limited.and(hidden) {
        tracing::warn!(%error, "core dumps could not be switched off; keys could reach one");
    }
}

/// The allocator asks for huge pages, and some kernels give them unasked: a thread that holds a few KB occupies 2 MB.
/// Comes before the runtime starts its threads; what was allocated until then is one page.
fn use_small_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::warn!(%error, "huge pages could not be switched off; the server takes more memory than it needs");
    }
}

// The error and its causes, one a line.
fn print_error(error: &dyn std::error::Error) {
    let mut lines = format!("strongroom: {error}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        lines.push_str(&format!("  because: {error}\n"));
        cause = error.source();
    }
    // Where standard error is closed there is nobody to tell.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), lines.as_bytes());
}
