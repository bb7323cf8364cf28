//! Progress against the even pace to the deadline, the original's `kubejobs` metric: positive is ahead, negative late.

use async_trait::async_trait;
use control::plan;
use control::plugin::Plugin;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Monitor, MonitorError, MonitorPlugin, Reading};

pub struct Progress;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Share of the time to the deadline that the plan keeps in hand: 0.05 plans to end 5 % early.
    #[garde(range(min = 0.0, max = 0.5))]
    #[schemars(range(min = 0.0, max = 0.5), extend("x-unit" = "share of the time", "x-step" = 0.01))]
    pub reserve: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { reserve: 0.0 }
    }
}

impl Plugin for Progress {
    const KIND: &'static str = "progress";
    const TITLE: &'static str = "Progress";
    const ABOUT: &'static str = "Share of the items done, and how far that is ahead of or behind an even pace to the deadline.";
    type Params = Params;
}

impl MonitorPlugin for Progress {
    const METRICS: &'static [&'static str] = &["progress", "progress_error", "done"];

    fn build(params: Params) -> Box<dyn Monitor> {
        Box::new(params)
    }
}

#[async_trait]
impl Monitor for Params {
    async fn read(&mut self, reading: &Reading) -> Result<Vec<(String, f64)>, MonitorError> {
        let items = reading.items;
        if items.total == 0 {
            return Err(MonitorError { monitor: Progress::KIND, why: "the job has no items yet".to_owned() });
        }
        let planned_ms = (reading.deadline_ms as f64 * (1.0 - self.reserve)) as u64;
        Ok(vec![
            ("progress".to_owned(), plan::progress(items)),
            ("progress_error".to_owned(), plan::progress_error(items, reading.at_ms, planned_ms)),
            ("done".to_owned(), items.done as f64),
        ])
    }
}
