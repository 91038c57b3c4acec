//! `strongroom bench`: loads a DynamoDB endpoint and says what it took.
//!
//! Every connection sends its next request when the last one is answered. The
//! client shares the machine with the server it measures, so it is one thread
//! with bodies that are serialised beforehand, and says what it cost itself.
//! It makes plain calls only, so it runs against any DynamoDB endpoint.

mod client;
mod histogram;
mod report;
mod server_process;
mod workload;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::Mutex;
use strongroom_model::clock::{Clock, Random};
use strongroom_seal::primitive::OsRandom;

use crate::clock::SystemClock;
use client::{CallError, Connection, Endpoint, EndpointError};
use histogram::Histogram;
use report::{Report, Setup, Tally, Usage};
use workload::{BATCH_ITEMS, ITEM_BYTES_MIN, Picker, Ready, Requests, Workload};

/// What to load, how, and for how long.
#[derive(Debug, clap::Args)]
pub(super) struct BenchArguments {
    /// The endpoint, such as http://127.0.0.1:8000; https needs AWS_CA_BUNDLE
    #[arg(long, env = "AWS_ENDPOINT_URL", value_name = "URL")]
    endpoint: String,
    /// What to send
    #[arg(long, value_enum, default_value = "mixed")]
    workload: Workload,
    /// Connections, each with one request under way
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=8192))]
    connections: u16,
    /// How long to measure, seconds
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// How long to load before measuring, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(0..=3600))]
    warmup_seconds: u32,
    /// Size of an item as DynamoDB counts it, bytes
    #[arg(long, value_name = "BYTES", default_value_t = 200, value_parser = item_bytes)]
    item_bytes: usize,
    /// Items to read and update, written beforehand
    #[arg(long, value_name = "COUNT", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    items: u64,
    /// Global secondary indexes of the table, all of them of all attributes
    #[arg(long, value_name = "COUNT", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=20))]
    global_indexes: u8,
    /// Read consistently
    #[arg(long)]
    consistent_read: bool,
    /// The server's process, if it cannot be found by its port
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Print one line of JSON instead of a table
    #[arg(long)]
    json: bool,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(super) enum BenchError {
    /// The endpoint.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// A call that everything else depends on.
    #[error("{operation} failed, so there is nothing to measure")]
    Call {
        /// The operation.
        operation: &'static str,
        /// Why.
        source: CallError,
    },
    /// Nothing succeeded.
    #[error("no request succeeded; the errors are above")]
    NothingDone,
    /// The system.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Runs the benchmark and prints its report.
pub(super) fn run(arguments: &BenchArguments) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(bench(arguments))?;
    let text = if arguments.json { report.json() + "\n" } else { report.table() };
    std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes())?;
    if report.is_empty() { Err(BenchError::NothingDone) } else { Ok(()) }
}

// What all workers share.
struct Run {
    endpoint: Endpoint,
    requests: Requests,
    phase: Mutex<Phase>,
    tally: Mutex<Tally>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    WarmUp,
    Measuring,
    Over,
}

async fn bench(arguments: &BenchArguments) -> Result<Report, BenchError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let endpoint = Endpoint::from_url(&arguments.endpoint, Arc::clone(&clock))?;
    let seed = random_number();
    let table = format!("strongroom-bench-{:08x}", seed as u32);
    let requests = Requests::new(arguments.workload, &table, arguments.item_bytes, arguments.consistent_read)
        .with_global_indexes(arguments.global_indexes);
    let tally = Tally { latencies: Histogram::new(), items: 0, errors: BTreeMap::new() };
    let run =
        Arc::new(Run { endpoint, requests, phase: Mutex::new(Phase::WarmUp), tally: Mutex::new(tally) });

    let mut first = run.endpoint.connect().await?;
    run.must(&mut first, run.requests.create_table()).await?;
    let measured = tokio::select! {
        measured = measure(arguments, &run, &mut first, seed) => measured,
        _ = tokio::signal::ctrl_c() => Err(BenchError::Io(std::io::Error::other("interrupted"))),
    };
    // The table goes whatever happened, over a connection that nothing is under way on.
    *run.phase.lock() = Phase::Over;
    let mut last = run.endpoint.connect().await?;
    let deleted = run.must(&mut last, run.requests.delete_table()).await;
    let report = measured?;
    if let Err(error) = deleted {
        eprintln!("strongroom: the table `{table}` could not be deleted: {}", cause(&error));
    }
    Ok(report)
}

async fn measure(
    arguments: &BenchArguments,
    run: &Arc<Run>,
    first: &mut Connection,
    seed: u64,
) -> Result<Report, BenchError> {
    run.wait_for_table(first).await?;
    if run.requests.needs_items() {
        eprintln!("writing {} items of {} bytes", arguments.items, arguments.item_bytes);
        preload(run, arguments.items, arguments.connections).await?;
    }
    let pid = match (arguments.server_pid, first.local_port()) {
        (Some(pid), _) => Some(pid),
        (None, Some(port)) => server_process::listening_on(port),
        (None, None) => None,
    };
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..arguments.connections {
        let connection = run.endpoint.connect().await?;
        let picker = Picker::new(arguments.items, u64::from(worker), seed);
        workers.spawn(work(Arc::clone(run), connection, picker));
    }
    eprintln!("warming up for {} s, then measuring for {} s", arguments.warmup_seconds, arguments.seconds);
    tokio::time::sleep(Duration::from_secs(arguments.warmup_seconds.into())).await;
    let before = [pid, Some(std::process::id())].map(usage);
    let start = Instant::now();
    *run.phase.lock() = Phase::Measuring;
    tokio::time::sleep(Duration::from_secs(arguments.seconds.into())).await;
    *run.phase.lock() = Phase::Over;
    let time = start.elapsed();
    let after = [pid, Some(std::process::id())].map(usage);
    // A server that hangs must not hang the benchmark.
    let _ = tokio::time::timeout(LAST_ANSWERS, async { while workers.join_next().await.is_some() {} }).await;
    let [server, client] = std::array::from_fn(|place| {
        let (before, after) = (before[place]?, after[place]?);
        Some(Usage { cpu: after.cpu.saturating_sub(before.cpu), ..after })
    });
    let empty = Tally { latencies: Histogram::new(), items: 0, errors: BTreeMap::new() };
    let tally = std::mem::replace(&mut *run.tally.lock(), empty);
    let setup = Setup {
        endpoint: arguments.endpoint.clone(),
        workload: arguments.workload,
        item_bytes: arguments.item_bytes,
        connections: arguments.connections,
    };
    Ok(Report::new(setup, time, tally, server, client))
}

/// How long requests under way at the end may take.
const LAST_ANSWERS: Duration = Duration::from_secs(10);
/// How long a new table may take.
const TABLE_READY_MAX: Duration = Duration::from_secs(60);
/// How long a worker waits before it connects anew.
const RECONNECT: Duration = Duration::from_millis(20);
/// How often the preload sends a batch until all of it is taken.
const BATCH_ATTEMPTS: u32 = 100;
const AGAIN: Duration = Duration::from_millis(50);

impl Run {
    async fn must(&self, connection: &mut Connection, ready: Ready) -> Result<Bytes, BenchError> {
        let operation = ready.operation;
        let answer = connection.call(&self.endpoint, ready).await;
        answer.map_err(|source| BenchError::Call { operation, source })
    }

    // Some servers answer CreateTable before the table can be used.
    async fn wait_for_table(&self, connection: &mut Connection) -> Result<(), BenchError> {
        let start = Instant::now();
        loop {
            match connection.call(&self.endpoint, self.requests.probe()).await {
                Ok(_) => return Ok(()),
                Err(CallError::Refused { code, .. })
                    if code == "ResourceNotFoundException" && start.elapsed() < TABLE_READY_MAX =>
                {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(source) => return Err(BenchError::Call { operation: "GetItem", source }),
            }
        }
    }

    async fn write_batch(&self, connection: &mut Connection, first: u64) -> Result<(), BenchError> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let answer = self.must(connection, self.requests.preload(first)).await?;
            // The puts are the same each time, so sending all of them again does no harm.
            if is_complete(&answer) {
                return Ok(());
            }
            if attempts == BATCH_ATTEMPTS {
                let code = UNPROCESSED.to_owned();
                let message = "the server leaves items of a batch unprocessed".to_owned();
                let source = CallError::Refused { code, message };
                return Err(BenchError::Call { operation: "BatchWriteItem", source });
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn preload(run: &Arc<Run>, items: u64, connections: u16) -> Result<(), BenchError> {
    let next = Arc::new(AtomicU64::new(0));
    let mut writers: tokio::task::JoinSet<Result<(), BenchError>> = tokio::task::JoinSet::new();
    for _ in 0..connections.min(16) {
        let (run, next) = (Arc::clone(run), Arc::clone(&next));
        writers.spawn(async move {
            let mut connection = run.endpoint.connect().await?;
            loop {
                let first = next.fetch_add(BATCH_ITEMS, Ordering::Relaxed);
                if first >= items {
                    return Ok(());
                }
                run.write_batch(&mut connection, first).await?;
            }
        });
    }
    while let Some(written) = writers.join_next().await {
        written.map_err(std::io::Error::other)??;
    }
    Ok(())
}

async fn work(run: Arc<Run>, mut connection: Connection, mut picker: Picker) {
    loop {
        if *run.phase.lock() == Phase::Over {
            return;
        }
        let ready = run.requests.next(&mut picker);
        let (items, is_batch) = (ready.items, ready.operation == "BatchWriteItem");
        let start = Instant::now();
        let outcome = match connection.call(&run.endpoint, ready).await {
            Ok(answer) if is_batch && !is_complete(&answer) => Err(UNPROCESSED.to_owned()),
            Ok(_) => Ok(()),
            Err(CallError::Refused { code, .. }) => Err(code),
            Err(CallError::Connection(_)) => {
                tokio::time::sleep(RECONNECT).await;
                if let Ok(anew) = run.endpoint.connect().await {
                    connection = anew;
                }
                Err("connection failed".to_owned())
            }
        };
        // Counted are the answers that came in the measured time.
        if *run.phase.lock() != Phase::Measuring {
            continue;
        }
        let mut tally = run.tally.lock();
        match outcome {
            Ok(()) => {
                tally.latencies.record(start.elapsed());
                tally.items += items;
            }
            Err(code) => *tally.errors.entry(code).or_default() += 1,
        }
    }
}

const UNPROCESSED: &str = "UnprocessedItems";

// Whether a BatchWriteItem did all that it was asked.
fn is_complete(answer: &[u8]) -> bool {
    let answer: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
    answer["UnprocessedItems"].as_object().is_none_or(serde_json::Map::is_empty)
}

fn usage(pid: Option<u32>) -> Option<Usage> {
    let pid = pid?;
    let cpu = server_process::cpu_time(pid)?;
    Some(Usage { pid, cpu, resident_bytes: server_process::resident_bytes(pid) })
}

fn random_number() -> u64 {
    let mut bytes = [0; 8];
    OsRandom.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

fn cause(error: &BenchError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

fn item_bytes(text: &str) -> Result<usize, String> {
    const ITEM_BYTES_MAX: usize = 400 * 1024;
    match text.parse() {
        Ok(bytes) if (ITEM_BYTES_MIN..=ITEM_BYTES_MAX).contains(&bytes) => Ok(bytes),
        _ => Err(format!("an item has {ITEM_BYTES_MIN} to {ITEM_BYTES_MAX} bytes")),
    }
}
