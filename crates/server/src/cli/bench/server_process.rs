//! The process behind a local endpoint, and what it costs, from Linux's `/proc`.

use std::collections::HashSet;
use std::time::Duration;

/// The process that listens on `port` of this machine; `None` if it is not visible to this user.
pub(super) fn listening_on(port: u16) -> Option<u32> {
    let mut inodes = HashSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        inodes.extend(listener_inodes(&std::fs::read_to_string(table).unwrap_or_default(), port));
    }
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.find(|pid| holds_socket(*pid, &inodes))
}

/// CPU time of a process so far, in user and kernel mode, all its threads.
pub(super) fn cpu_time(pid: u32) -> Option<Duration> {
    let ticks = cpu_ticks(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    Some(Duration::from_millis(ticks * MILLIS_PER_TICK))
}

/// Resident memory of a process, bytes.
pub(super) fn resident_bytes(pid: u32) -> Option<u64> {
    resident(&std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// `/proc` counts in hundredths of a second on every architecture this runs on.
const MILLIS_PER_TICK: u64 = 10;

fn holds_socket(pid: u32, inodes: &HashSet<u64>) -> bool {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    files.flatten().any(|file| {
        let Ok(target) = std::fs::read_link(file.path()) else { return false };
        let inode = target.to_str().and_then(|text| text.strip_prefix("socket:[")?.strip_suffix(']'));
        inode.and_then(|digits| digits.parse().ok()).is_some_and(|inode| inodes.contains(&inode))
    })
}

// A line is `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode ...`, addresses in hexadecimal.
fn listener_inodes(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let ending = format!(":{port:04X}");
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            let [_, local, _, state, _, _, _, _, _, inode, ..] = fields.as_slice() else { return None };
            (*state == LISTEN && local.ends_with(&ending)).then(|| inode.parse().ok())?
        })
        .collect()
}

// The process's name, in parentheses, may hold anything; after it come the state and numbers.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(11);
    let (user, kernel): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + kernel)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_listener_is_found_among_connections_of_the_same_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 81234 1 0 100 0 0 10 0\n\
            \x20  1: 0100007F:1F40 0100007F:A3C2 01 00000000:00000000 00:00000000 00000000     0        0 90001 1 0 20 4 0 10 -1\n\
            \x20  2: 0100007F:1F41 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 90002 1 0 100 0 0 10 0\n";
        assert_eq!(listener_inodes(table, 8000), [81_234]);
        assert_eq!(listener_inodes(table, 9000), [0; 0]);
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 900 0 0 0 1234 66 0 0 20 0 5 0 999 1 1";
        assert_eq!(cpu_ticks(stat), Some(1_300));
        assert_eq!(cpu_ticks("nonsense"), None);
        assert_eq!(resident("VmPeak:\t  99 kB\nVmRSS:\t   2048 kB\n"), Some(2 * 1024 * 1024));
    }

    /// The whole way, for a process that we know: this one.
    #[test]
    fn this_process_is_found_by_its_port() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(listening_on(listener.local_addr().unwrap().port()), Some(std::process::id()));
        assert!(cpu_time(std::process::id()).is_some());
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
    }
}
