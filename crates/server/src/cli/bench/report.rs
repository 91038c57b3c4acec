//! What was measured, for people and for programs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::histogram::Histogram;
use super::workload::Workload;
use crate::cli::numbers::grouped;

/// What the workers counted while it was measured.
pub(super) struct Tally {
    /// How long successful calls took.
    pub latencies: Histogram,
    /// Items read or written by them.
    pub items: u64,
    /// Failed calls by the error's code.
    pub errors: BTreeMap<String, u64>,
}

/// CPU time and memory of a process over the measured time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// Which process.
    pub pid: u32,
    /// CPU time, all threads, user and kernel.
    pub cpu: Duration,
    /// Resident memory at the end, bytes.
    pub resident_bytes: Option<u64>,
}

/// The result of one run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    endpoint: String,
    workload: Workload,
    item_bytes: usize,
    connections: u16,
    seconds: f64,
    operations: u64,
    operations_per_second: f64,
    items_per_second: f64,
    latency_micros: Latency,
    errors: BTreeMap<String, u64>,
    server: Option<ProcessCost>,
    client: Option<ProcessCost>,
}

#[derive(Debug, Serialize)]
struct Latency {
    p50: u64,
    p99: u64,
    p999: u64,
    max: u64,
}

#[derive(Debug, Serialize)]
struct ProcessCost {
    pid: u32,
    /// None when there was no operation.
    cpu_micros_per_operation: Option<f64>,
    /// 1 is one core, all the time.
    cores: f64,
    resident_bytes: Option<u64>,
}

/// How the run was set up.
pub(super) struct Setup {
    pub endpoint: String,
    pub workload: Workload,
    pub item_bytes: usize,
    pub connections: u16,
}

impl Report {
    /// Puts together what was measured in `time`.
    pub(super) fn new(
        setup: Setup,
        time: Duration,
        tally: Tally,
        server: Option<Usage>,
        client: Option<Usage>,
    ) -> Self {
        let seconds = time.as_secs_f64();
        let Tally { latencies, items, errors } = tally;
        let operations = latencies.total();
        let cost = |usage: Usage| ProcessCost {
            pid: usage.pid,
            cpu_micros_per_operation: (operations > 0)
                .then(|| rounded(usage.cpu.as_secs_f64() * 1e6 / operations as f64)),
            cores: rounded(usage.cpu.as_secs_f64() / seconds),
            resident_bytes: usage.resident_bytes,
        };
        Self {
            endpoint: setup.endpoint,
            workload: setup.workload,
            item_bytes: setup.item_bytes,
            connections: setup.connections,
            seconds: rounded(seconds),
            operations,
            operations_per_second: rounded(operations as f64 / seconds),
            items_per_second: rounded(items as f64 / seconds),
            latency_micros: Latency {
                p50: latencies.quantile_micros(0.5),
                p99: latencies.quantile_micros(0.99),
                p999: latencies.quantile_micros(0.999),
                max: latencies.max_micros(),
            },
            errors,
            server: server.map(cost),
            client: client.map(cost),
        }
    }

    /// Whether anything was done.
    pub(super) fn is_empty(&self) -> bool {
        self.operations == 0
    }

    /// One line of JSON.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).expect("a report is plain data")
    }

    /// A table for people.
    pub(super) fn table(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<12} {value}");
        };
        let workload = serde_json::to_value(self.workload).unwrap_or_default();
        line("endpoint", self.endpoint.clone());
        line(
            "workload",
            format!(
                "{}, {}-byte items, {} connections, {:.1} s",
                workload.as_str().unwrap_or_default(),
                grouped(self.item_bytes as u64),
                self.connections,
                self.seconds
            ),
        );
        let per_second = |rate: f64| grouped(rate.round() as u64);
        line(
            "operations",
            format!(
                "{} a second ({} in all)",
                per_second(self.operations_per_second),
                grouped(self.operations)
            ),
        );
        if self.items_per_second != self.operations_per_second {
            line("items", format!("{} a second", per_second(self.items_per_second)));
        }
        let Latency { p50, p99, p999, max } = self.latency_micros;
        line(
            "latency",
            format!("p50 {}   p99 {}   p99.9 {}   max {}", time(p50), time(p99), time(p999), time(max)),
        );
        if self.errors.is_empty() {
            line("errors", "none".to_owned());
        }
        for (code, count) in &self.errors {
            line("errors", format!("{} {code}", grouped(*count)));
        }
        line("server CPU", self.server.as_ref().map_or_else(|| UNKNOWN_SERVER.to_owned(), ProcessCost::text));
        if let Some(client) = &self.client {
            line("client CPU", client.text());
        }
        text
    }
}

const UNKNOWN_SERVER: &str =
    "unknown: the server is elsewhere or hidden from this user; name it with --server-pid";

impl ProcessCost {
    fn text(&self) -> String {
        let per_operation = self
            .cpu_micros_per_operation
            .map_or_else(|| "no operation".to_owned(), |micros| format!("{micros:.1} us an operation"));
        let resident = self
            .resident_bytes
            .map_or_else(String::new, |bytes| format!(", {:.1} MB resident", bytes as f64 / 1e6));
        format!("{per_operation}, {:.2} cores{resident} (process {})", self.cores, self.pid)
    }
}

fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

fn time(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{:.2} ms", micros as f64 / 1e3),
        _ => format!("{:.2} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn report(operations: u64) -> Report {
        let mut latencies = Histogram::new();
        for _ in 0..operations {
            latencies.record(Duration::from_micros(1_500));
        }
        let setup = Setup {
            endpoint: "http://127.0.0.1:8000".to_owned(),
            workload: Workload::BatchWrite,
            item_bytes: 200,
            connections: 16,
        };
        let errors = BTreeMap::from([("ThrottlingException".to_owned(), 3)]);
        let tally = Tally { latencies, items: operations * 25, errors };
        let usage = Usage { pid: 7, cpu: Duration::from_millis(500), resident_bytes: Some(41_000_000) };
        Report::new(setup, Duration::from_secs(10), tally, Some(usage), None)
    }

    #[test]
    fn rates_and_costs_come_from_the_measured_time() {
        let json: serde_json::Value = serde_json::from_str(&report(10_000).json()).unwrap();
        assert_eq!(json["operations_per_second"], 1_000.0);
        assert_eq!(json["items_per_second"], 25_000.0);
        assert_eq!(json["server"]["cpu_micros_per_operation"], 50.0);
        assert_eq!(json["server"]["cores"], 0.05);
        assert_eq!(json["workload"], "batch-write");
        assert_eq!(json["errors"]["ThrottlingException"], 3);
    }

    #[test]
    fn the_table_can_be_read() {
        let table = report(1_234_567).table();
        assert!(table.contains("operations   123,457 a second (1,234,567 in all)"), "{table}");
        assert!(table.contains("p99 1.50 ms"), "{table}");
        assert!(table.contains("errors       3 ThrottlingException"), "{table}");
        assert!(report(0).table().contains("no operation"));
    }
}
