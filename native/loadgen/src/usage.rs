//! CPU time and memory: of the server, of this process, of the machine.

use std::fs::read_to_string;

/// Seconds of CPU so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    pub server: f64,
    pub client: f64,
    /// Everything that was not idle, kernel threads included.
    pub machine: f64,
    pub server_resident_bytes: u64,
}

impl Usage {
    pub fn now(server_pid: Option<u32>) -> Usage {
        let server = server_pid.map(|pid| pid.to_string());
        Usage {
            server: server.as_deref().and_then(process_seconds).unwrap_or(0.0),
            client: process_seconds("self").unwrap_or(0.0),
            machine: machine_seconds().unwrap_or(0.0),
            server_resident_bytes: server.as_deref().and_then(resident_bytes).unwrap_or(0),
        }
    }
}

fn ticks_per_second() -> f64 {
    // SAFETY: no pointers.
    unsafe { libc::sysconf(libc::_SC_CLK_TCK) as f64 }
}

fn process_seconds(pid: &str) -> Option<f64> {
    let text = read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may contain anything, but no further closing parenthesis.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let user: f64 = fields.get(11)?.parse().ok()?;
    let system: f64 = fields.get(12)?.parse().ok()?;
    Some((user + system) / ticks_per_second())
}

fn machine_seconds() -> Option<f64> {
    let text = read_to_string("/proc/stat").ok()?;
    let fields = text.lines().next()?.split_whitespace().skip(1);
    let fields: Vec<f64> = fields.filter_map(|field| field.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq
    let busy: f64 = [0, 1, 2, 5, 6]
        .iter()
        .filter_map(|at| fields.get(*at))
        .sum();
    Some(busy / ticks_per_second())
}

fn resident_bytes(pid: &str) -> Option<u64> {
    let text = read_to_string(format!("/proc/{pid}/statm")).ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    // SAFETY: no pointers.
    Some(pages * unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64)
}
