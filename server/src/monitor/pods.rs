//! What the monitors of pods share: how old a reading may be, where readings come from, and how old they are.

use async_trait::async_trait;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Monitor, MonitorError, Reading, Used};
use crate::platform::Measured;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// A reading older than this is as good as none: loops on it hold. One job alone is read each 25 s.
    #[garde(range(min = 5.0, max = 600.0))]
    #[schemars(range(min = 5.0, max = 600.0), extend("x-unit" = "s", "x-step" = 5.0))]
    pub max_age_s: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { max_age_s: 60.0 }
    }
}

/// What a monitor of pods publishes of readings that are fresh: names and values.
pub type Figures = fn(&[Used]) -> [(&'static str, Option<f64>); 3];

/// A running monitor of pods.
pub struct OfPods {
    pub kind: &'static str,
    pub max_age_s: f64,
    pub source: Source,
    pub figures: Figures,
}

#[async_trait]
impl Monitor for OfPods {
    async fn read(&mut self, reading: &Reading) -> Result<Vec<(String, f64)>, MonitorError> {
        let fresh = self.source.fresh(self.kind, reading, self.max_age_s)?;
        Ok((self.figures)(&fresh).into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect())
    }

    fn note(&mut self) -> Option<String> {
        self.source.news.take()
    }
}

/// How old the oldest reading is, in seconds.
pub fn age_s(fresh: &[Used]) -> Option<f64> {
    fresh.iter().map(|used| used.age_ms).max().map(|age_ms| age_ms as f64 / 1000.0)
}

/// Where readings of pods come from, and whether people were told.
pub struct Source {
    /// The beginning of the sentence that tells it.
    what: &'static str,
    told: Option<String>,
    news: Option<String>,
}

impl Source {
    pub fn of(what: &'static str) -> Self {
        Self { what, told: None, news: None }
    }

    /// The readings that are not too old; none while the first pods are not measured yet.
    ///
    /// # Errors
    /// When pods could not be read, or not for too long.
    fn fresh(&mut self, monitor: &'static str, reading: &Reading, max_age_s: f64) -> Result<Vec<Used>, MonitorError> {
        self.look(reading.measured.as_ref());
        let fresh: Vec<Used> = reading.used.iter().filter(|used| used.age_ms as f64 <= max_age_s * 1000.0).copied().collect();
        let fails = reading.measured.as_ref().and_then(|measured| measured.fails.as_ref());
        let newest = reading.used.iter().map(|used| used.age_ms).min();
        match (fresh.is_empty(), newest, fails) {
            (true, None, Some(why)) => {
                Err(MonitorError { monitor, why: format!("no pod was measured yet. {}", why.trim_end_matches('.')) })
            }
            (true, Some(age_ms), why) => {
                let because = why.map_or_else(String::new, |why| format!(". {}", why.trim_end_matches('.')));
                Err(MonitorError { monitor, why: format!("the newest reading is {} s old{because}", age_ms / 1000) })
            }
            _ => Ok(fresh),
        }
    }

    fn look(&mut self, measured: Option<&Measured>) {
        let how = measured.filter(|measured| measured.fails.is_none()).map(|measured| &measured.how);
        if let Some(how) = how.filter(|how| self.told.as_ref() != Some(how)) {
            self.told = Some(how.clone());
            self.news = Some(format!("{} read {}.", self.what, how.trim_end_matches('.')));
        }
    }
}
