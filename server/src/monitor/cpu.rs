//! CPU and memory of the replicas, smoothed: what the operating system accounts to their process trees.

use async_trait::async_trait;
use control::plugin::Plugin;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Monitor, MonitorError, MonitorPlugin, Reading, mean};

pub struct Cpu;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Time constant of the smoothing; 0 publishes each second as it was.
    #[garde(range(min = 0.0, max = 60.0))]
    #[schemars(range(min = 0.0, max = 60.0), extend("x-unit" = "s", "x-step" = 1.0))]
    pub smoothing_s: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { smoothing_s: 2.0 }
    }
}

impl Plugin for Cpu {
    const KIND: &'static str = "cpu";
    const TITLE: &'static str = "CPU and memory";
    const ABOUT: &'static str = "Mean share of a core that each replica uses, and the memory of all of them.";
    type Params = Params;
}

impl MonitorPlugin for Cpu {
    const METRICS: &'static [&'static str] = &["cpu", "memory"];

    fn build(params: Params) -> Box<dyn Monitor> {
        Box::new(Smoothed { params, last: None })
    }
}

struct Smoothed {
    params: Params,
    /// When and what was published last.
    last: Option<(u64, f64)>,
}

#[async_trait]
impl Monitor for Smoothed {
    async fn read(&mut self, reading: &Reading) -> Result<Vec<(String, f64)>, MonitorError> {
        let mean = mean(reading.cpu.iter().copied()).unwrap_or(0.0);
        let cpu = match self.last {
            Some((at, last)) if self.params.smoothing_s > 0.0 => {
                let dt = reading.at_ms.saturating_sub(at) as f64 / 1000.0;
                let weight = 1.0 - (-dt / self.params.smoothing_s).exp();
                last + weight * (mean - last)
            }
            _ => mean,
        };
        self.last = Some((reading.at_ms, cpu));
        Ok(vec![("cpu".to_owned(), cpu), ("memory".to_owned(), reading.memory_bytes as f64)])
    }
}
