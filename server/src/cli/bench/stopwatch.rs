//! Processor time of one thread: what another process takes from this machine does not count.

use control::simulator::run::Stopwatch;
use rustix::time::{ClockId, clock_gettime};

#[derive(Debug, Default)]
pub struct CpuStopwatch {
    steps: u64,
    total_ns: u64,
    worst_ns: u64,
}

impl CpuStopwatch {
    pub fn mean_us(&self) -> f64 {
        self.total_ns as f64 / 1000.0 / self.steps.max(1) as f64
    }

    pub fn worst_us(&self) -> f64 {
        self.worst_ns as f64 / 1000.0
    }
}

impl Stopwatch for CpuStopwatch {
    fn time<R>(&mut self, step: impl FnOnce() -> R) -> R {
        let begun_ns = now_ns();
        let answer = step();
        let took_ns = now_ns().saturating_sub(begun_ns);
        self.steps += 1;
        self.total_ns += took_ns;
        self.worst_ns = self.worst_ns.max(took_ns);
        answer
    }
}

fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}
