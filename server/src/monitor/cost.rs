//! What the replicas cost: money an hour now, and money so far, by a price that is set or asked for by URL.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use control::plugin::Plugin;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Monitor, MonitorError, MonitorPlugin, Reading};
use crate::lock::lock;
use crate::manager::workload;

/// How long the price may take to come.
const WITHIN: Duration = Duration::from_secs(10);
/// A price that could not be read anew for so many times its interval is none.
const STALE: u32 = 3;
/// Longer answers are no price.
const LONGEST: usize = 64 << 10;
/// How soon a price that could not be read is asked for again.
const AGAIN: Duration = Duration::from_secs(10);

pub struct Cost;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// What one replica costs an hour, in whatever money you reckon. With a URL it is what that says.
    #[garde(range(min = 0.0, max = 1e6))]
    #[schemars(range(min = 0.0, max = 1e6), extend("x-unit" = "money/h", "x-step" = 0.01))]
    pub price_replica_hour: f64,
    /// Where the price is asked for: it answers a number, or JSON such as {"price_replica_hour": 0.12}. Empty: the price above.
    #[garde(custom(fetchable))]
    pub url: String,
    /// How often that is asked.
    #[garde(range(min = 10.0, max = 86_400.0))]
    #[schemars(range(min = 10.0, max = 86_400.0), extend("x-unit" = "s", "x-step" = 10.0))]
    pub refresh_s: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { price_replica_hour: 0.1, url: String::new(), refresh_s: 300.0 }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "garde hands its context over by reference")]
fn fetchable(url: &str, (): &()) -> garde::Result {
    if url.trim().is_empty() { Ok(()) } else { workload::check_url(url).map_err(garde::Error::new) }
}

impl Plugin for Cost {
    const KIND: &'static str = "cost";
    const TITLE: &'static str = "Cost";
    const ABOUT: &'static str = "Money an hour that the replicas cost now, and money so far: their number and their time by \
        the price of a replica for an hour, whether they work or not.";
    type Params = Params;
}

impl MonitorPlugin for Cost {
    const METRICS: &'static [&'static str] = &["cost_per_hour", "cost_so_far"];

    fn build(params: Params) -> Box<dyn Monitor> {
        Box::new(Priced { params, asked: Arc::default(), spent: None })
    }
}

struct Priced {
    params: Params,
    asked: Arc<Mutex<Asked>>,
    /// Money so far and the replica-hours that it is for. Hours before this server's life are reckoned at the first
    /// price that it knows.
    spent: Option<(f64, f64)>,
}

/// What is known from the URL.
#[derive(Default)]
struct Asked {
    price: Option<(f64, Instant)>,
    tried: Option<Instant>,
    failed: Option<String>,
    /// A price that differs from the one before, to be told.
    news: Option<f64>,
}

#[async_trait]
impl Monitor for Priced {
    async fn read(&mut self, reading: &Reading) -> Result<Vec<(String, f64)>, MonitorError> {
        let price = self.price().map_err(|why| MonitorError { monitor: Cost::KIND, why })?;
        let Some(price) = price else { return Ok(Vec::new()) };
        let hours = reading.replica_hours;
        let spent = match self.spent {
            Some((money, until)) => money + (hours - until).max(0.0) * price,
            None => hours * price,
        };
        self.spent = Some((spent, hours));
        Ok(vec![("cost_per_hour".to_owned(), f64::from(reading.replicas) * price), ("cost_so_far".to_owned(), spent)])
    }

    fn note(&mut self) -> Option<String> {
        let news = lock(&self.asked).news.take();
        news.map(|price| format!("A replica costs {price} an hour, says {}.", self.params.url.trim()))
    }
}

impl Priced {
    /// The price in force; `None` while the first is on its way. Asking starts the next question when it is time.
    fn price(&self) -> Result<Option<f64>, String> {
        if self.params.url.trim().is_empty() {
            return Ok(Some(self.params.price_replica_hour));
        }
        let every = Duration::from_secs_f64(self.params.refresh_s);
        let mut asked = lock(&self.asked);
        let pause = if asked.failed.is_some() { every.min(AGAIN) } else { every };
        if asked.tried.is_none_or(|at| pause <= at.elapsed()) {
            asked.tried = Some(Instant::now());
            let (url, asked) = (self.params.url.clone(), Arc::clone(&self.asked));
            tokio::spawn(async move {
                let answer = fetch(&url).await;
                lock(&asked).heard(answer);
            });
        }
        let stale = |at: &Instant| every * STALE < at.elapsed();
        match (&asked.price, &asked.failed) {
            (Some((_, at)), why) if stale(at) => {
                let why = why.as_deref().unwrap_or("it does not answer");
                Err(format!("the price of {} is {} s old: {why}", self.params.url.trim(), at.elapsed().as_secs()))
            }
            (Some((price, _)), _) => Ok(Some(*price)),
            (None, Some(why)) => Err(format!("{} tells no price: {why}", self.params.url.trim())),
            (None, None) => Ok(None),
        }
    }
}

impl Asked {
    fn heard(&mut self, answer: Result<f64, String>) {
        match answer {
            Ok(price) => {
                if self.price.is_none_or(|(before, _)| before.total_cmp(&price).is_ne()) {
                    self.news = Some(price);
                }
                (self.price, self.failed) = (Some((price, Instant::now())), None);
            }
            Err(why) => self.failed = Some(why),
        }
    }
}

async fn fetch(url: &str) -> Result<f64, String> {
    let mut response = workload::get(url, WITHIN).await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| crate::words::chain(&error))? {
        body.extend_from_slice(&chunk);
        if LONGEST < body.len() {
            return Err(format!("its answer is longer than {LONGEST} bytes"));
        }
    }
    price(&String::from_utf8_lossy(&body))
}

/// A number, alone or as `price_replica_hour` of a JSON object.
fn price(text: &str) -> Result<f64, String> {
    let said = serde_json::from_str::<Value>(text.trim()).unwrap_or_default();
    let price = said.get("price_replica_hour").unwrap_or(&said).as_f64();
    price.filter(|price| price.is_finite() && 0.0 <= *price).ok_or_else(|| {
        let begins: String = text.trim().chars().take(40).collect();
        format!("it must answer a number, or JSON such as {{\"price_replica_hour\": 0.12}}, and answered “{begins}”")
    })
}

#[cfg(test)]
mod tests {
    use control::observation::Items;
    use control::plugin::parse;
    use serde_json::json;

    use super::*;

    fn reading(replicas: u32, replica_hours: f64) -> Reading {
        Reading {
            at_ms: 0,
            deadline_ms: 1,
            items: Items::default(),
            cpu: Vec::new(),
            memory_bytes: 0,
            used: Vec::new(),
            measured: None,
            replicas,
            replica_hours,
        }
    }

    #[tokio::test]
    async fn money_is_replicas_and_their_time_by_the_price() {
        let mut monitor = Cost::build(Params { price_replica_hour: 0.2, ..Params::default() });
        let read = monitor.read(&reading(3, 0.5)).await.unwrap();
        assert!((read[0].1 - 0.6).abs() < 1e-9 && (read[1].1 - 0.1).abs() < 1e-9, "{read:?}");
        let read = monitor.read(&reading(0, 1.5)).await.unwrap();
        assert!(read[0].1.abs() < 1e-9 && (read[1].1 - 0.3).abs() < 1e-9, "{read:?}");
    }

    #[tokio::test]
    async fn a_price_that_changes_counts_from_then_on() {
        let asked = Arc::<Mutex<Asked>>::default();
        let params = Params { url: "http://192.0.2.1/price".to_owned(), ..Params::default() };
        let mut monitor = Priced { params, asked: Arc::clone(&asked), spent: None };
        asked.lock().unwrap().tried = Some(Instant::now());
        assert_eq!(monitor.read(&reading(1, 1.0)).await.unwrap(), [], "it is on its way");
        asked.lock().unwrap().heard(Ok(1.0));
        assert!((monitor.read(&reading(1, 1.0)).await.unwrap()[1].1 - 1.0).abs() < 1e-9);
        assert_eq!(monitor.note().unwrap(), "A replica costs 1 an hour, says http://192.0.2.1/price.");
        asked.lock().unwrap().heard(Ok(3.0));
        assert!((monitor.read(&reading(1, 2.0)).await.unwrap()[1].1 - 4.0).abs() < 1e-9);
        asked.lock().unwrap().heard(Err("it answered 500".to_owned()));
        assert!(monitor.read(&reading(1, 2.0)).await.is_ok(), "the price of before is young enough");
        asked.lock().unwrap().price = None;
        let failed = monitor.read(&reading(1, 2.0)).await.unwrap_err();
        assert!(failed.to_string().ends_with("http://192.0.2.1/price tells no price: it answered 500"), "{failed}");
    }

    #[test]
    fn answers_that_are_no_price_are_told() {
        assert_eq!((price("0.25\n"), price(r#"{"price_replica_hour": 2}"#)), (Ok(0.25), Ok(2.0)));
        for text in ["", "<html>", "-1", r#"{"price": 1}"#, r#"{"price_replica_hour": "1"}"#] {
            assert!(price(text).unwrap_err().starts_with("it must answer a number"), "{text}");
        }
        let refused = parse::<Cost>(&json!({ "url": "http://169.254.169.254/" })).unwrap_err();
        assert_eq!(refused[0].field, "url");
    }
}
