//! Who is tried on the grid: every law of the catalog, whatever its goal, and the peers; each with the settings among
//! which tuning chooses.

use serde_json::{Value, json};

use super::peers::Peer;
use super::run::{self, NoStopwatch, Prepared, Stopwatch};
use super::score::RunResult;
use crate::controllers;
use crate::plugin::PluginSpec;

/// Holds a load, and simulated jobs measure none.
const WITHOUT_METRIC: &str = "target";

/// One law or peer with one setting.
#[derive(Debug, Clone, PartialEq)]
pub enum Contender {
    Law(PluginSpec),
    Peer(Peer),
}

/// One law or peer.
#[derive(Debug, Clone, PartialEq)]
pub struct Entrant {
    pub name: String,
    /// The default or published one first.
    pub settings: Vec<Contender>,
}

pub fn entrants() -> Vec<Entrant> {
    let mut list = Vec::new();
    for entry in controllers::catalog().iter().filter(|entry| entry.kind != WITHOUT_METRIC) {
        list.push(law(entry.kind, entry.kind, own_settings(entry.kind)));
    }
    // Without a limit to its steps, as the original has none.
    list.push(law("the original's pid", "pid", compat_settings()));
    list.extend(
        Peer::settings()
            .into_iter()
            .map(|settings| Entrant { name: settings[0].name().to_owned(), settings: settings.into_iter().map(Contender::Peer).collect() }),
    );
    list
}

fn law(name: &str, kind: &str, settings: Vec<Value>) -> Entrant {
    Entrant { name: name.to_owned(), settings: settings.into_iter().map(|params| Contender::Law(PluginSpec::new(kind, params))).collect() }
}

/// A law that is not named here is tried as it comes.
fn own_settings(kind: &str) -> Vec<Value> {
    let mut list = vec![json!({})];
    match kind {
        "threshold" | "progress_tendency" => {
            for (up, down) in [(0.0, 0.0), (0.02, 0.05), (0.0, 0.1), (0.0, 0.2)] {
                list.extend([1, 4].map(|size| json!({"actuation_size": size, "trigger_up": up, "trigger_down": down})));
            }
        }
        "proportional" => {
            for (up, down) in [(20, 20), (100, 20), (100, 100), (400, 20)] {
                list.extend(
                    [0.02, 0.1].map(|trigger| json!({"factor_up": up, "factor_down": down, "trigger_up": 0.0, "trigger_down": trigger})),
                );
            }
        }
        "proportional_derivative" => {
            for factor in [10, 40, 200] {
                list.extend([80, 1000].map(|derivative| json!({"proportional_factor": factor, "derivative_factor": derivative})));
            }
        }
        "scripted" => list.extend([4, 16, 64].map(|replicas| json!({"script": [format!("0: {replicas}")]}))),
        "stream" => {
            for wait_s in [300, 3000] {
                list.extend([0.8, 1.0].map(|utilisation| json!({"target_wait_s": wait_s, "utilisation": utilisation})));
            }
        }
        "pid" => {
            for gain in [40, 200, 1000] {
                list.extend([0.5, 5.0].map(|integral| json!({"proportional_gain": gain, "integral_gain": integral})));
            }
        }
        _ => {}
    }
    list
}

/// The documented gains, and those of the published experiments with the error's later unit.
fn compat_settings() -> Vec<Value> {
    let gains = [
        (0.1, 0.0, 0.0),
        (0.1, 0.1, 0.1),
        (10.0, 0.0, 0.0),
        (10.0, 10.0, 10.0),
        (10.0, 20.0, 0.0),
        (100.0, 0.0, 0.0),
        (100.0, 100.0, 100.0),
    ];
    let setting = |(kp, kd, ki)| json!({"form": "compat", "proportional_gain": kp, "derivative_gain": kd, "integral_gain": ki, "guards": {"largest_step": 0, "dead_band": 0.0}});
    gains.map(setting).to_vec()
}

impl Contender {
    /// # Panics
    /// When the params of a law do not fit it: those above do, and a test holds that.
    pub fn run<S: Stopwatch>(&self, name: &str, prepared: &Prepared, stopwatch: &mut S) -> RunResult {
        match self {
            Self::Law(spec) => {
                let mut control = run::start(spec).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
                if !S::COUNTS {
                    control.forget();
                }
                run::run(prepared, name, &mut control, stopwatch, None)
            }
            // Only our own laws are timed.
            Self::Peer(peer) => run::run(prepared, name, &mut *peer.start(prepared), &mut NoStopwatch, None),
        }
    }

    /// As JSON, for people.
    pub fn words(&self) -> String {
        let words = match self {
            Self::Law(spec) if spec.params.as_object().is_some_and(serde_json::Map::is_empty) => return "defaults".to_owned(),
            Self::Law(spec) => spec.params.to_string(),
            Self::Peer(peer) => match serde_json::to_value(peer) {
                Ok(Value::Object(map)) => map.into_iter().next().map_or_else(String::new, |(_, setting)| setting.to_string()),
                _ => return "none".to_owned(),
            },
        };
        words.replace('"', "").replace(':', ": ").replace(',', ", ")
    }
}
