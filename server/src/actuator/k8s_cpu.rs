//! CPU of the pods of a Kubernetes Job: more or less for each of them while they run, without a restart.
//! What loops on it decide is in thousandths of a core.

use control::job::Bounds;
use control::plugin::Plugin;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Actuator, ActuatorError, ActuatorPlugin, Scalable, Standing};

pub struct K8sCpu;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Least CPU of each pod.
    #[garde(range(min = 0.01, max = 1024.0))]
    #[schemars(range(min = 0.01, max = 1024.0), extend("x-unit" = "cores", "x-step" = 0.05))]
    pub min: f64,
    /// Most CPU of each pod.
    #[garde(range(min = 0.01, max = 1024.0), custom(not_below(self.min)))]
    #[schemars(range(min = 0.01, max = 1024.0), extend("x-unit" = "cores", "x-step" = 0.05))]
    pub max: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { min: 0.1, max: 1.0 }
    }
}

fn not_below(min: f64) -> impl FnOnce(&f64, &()) -> garde::Result {
    move |max, ()| if min <= *max { Ok(()) } else { Err(garde::Error::new(format!("must not be below min, which is {min}; was {max}"))) }
}

impl Plugin for K8sCpu {
    const KIND: &'static str = "k8s_cpu";
    const TITLE: &'static str = "CPU of pods";
    const ABOUT: &'static str = "Gives each pod more or less CPU while it runs; with the law target on k8s_cpu_share it holds how \
        much of it they use.";
    type Params = Params;
}

impl ActuatorPlugin for K8sCpu {
    fn build(params: Params) -> Box<dyn Actuator> {
        Box::new(params)
    }
}

impl Actuator for Params {
    fn move_to(&mut self, to: u32, job: &mut dyn Scalable) -> Result<u32, ActuatorError> {
        job.want_cpu(to);
        Ok(to)
    }

    fn stand(&self, job: &dyn Scalable) -> Result<Option<Standing>, ActuatorError> {
        let bounds = Bounds { min: millicores(self.min), max: millicores(self.max), initial: 0 };
        // Before the first pod is there, there is nothing to decide.
        let Some(cpu) = job.cpu() else { return Ok(Some(Standing { allocation: 0, bounds, settling: true })) };
        if let Some(why) = cpu.refused {
            return Err(ActuatorError { actuator: K8sCpu::KIND, why: why.trim_end_matches('.').to_owned() });
        }
        Ok(Some(Standing { allocation: cpu.millicores, bounds, settling: cpu.settling }))
    }

    fn moves_replicas(&self) -> bool {
        false
    }

    fn say(&self, text: String) -> String {
        in_cores(&text)
    }
}

fn millicores(cores: f64) -> u32 {
    // A cast saturates.
    (cores * 1000.0).round() as u32
}

/// `150 replicas more` is `0.15 cores more`.
fn in_cores(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        let unit = words.peek().copied().filter(|next| next.starts_with("replica"));
        let count = if word == "one" { Some(1.0) } else { word.parse::<f64>().ok() };
        if !said.is_empty() {
            said.push(' ');
        }
        match (count, unit) {
            (Some(count), Some(unit)) => {
                words.next();
                let rest = unit.trim_start_matches("replica").trim_start_matches('s');
                said.push_str(&format!("{} cores{rest}", count / 1000.0));
            }
            // As guards say it: held at 200 by bounds.
            (Some(count), None) if words.peek() == Some(&"by") => said.push_str(&format!("{} cores", count / 1000.0)),
            _ => said.push_str(word),
        }
    }
    said.replace(" fewer", " less")
}

#[cfg(test)]
mod tests {
    use control::plugin::parse;
    use serde_json::json;

    use super::super::CpuStand;
    use super::*;

    #[derive(Default)]
    struct Paper(Option<CpuStand>);

    impl Scalable for Paper {
        fn want(&mut self, _: u32, _: f64) {}

        fn cpu(&self) -> Option<CpuStand> {
            self.0.clone()
        }
    }

    #[test]
    fn it_stands_where_the_pods_do_and_says_why_it_cannot_move() {
        let actuator = K8sCpu::build(Params { min: 0.1, max: 0.5 });
        assert!(actuator.stand(&Paper(None)).unwrap().unwrap().settling, "before the first pod");
        let mut cpu = CpuStand { millicores: 200, settling: true, refused: None };
        let stand = actuator.stand(&Paper(Some(cpu.clone()))).unwrap().unwrap();
        assert_eq!((stand.allocation, stand.bounds.min, stand.bounds.max, stand.settling), (200, 100, 500, true));
        cpu.refused = Some("This cluster cannot.".to_owned());
        assert_eq!(actuator.stand(&Paper(Some(cpu))).unwrap_err().to_string(), "actuator k8s_cpu refused: This cluster cannot");
    }

    #[test]
    fn laws_speak_of_cores() {
        assert_eq!(in_cores("It is 0.9 with a target of 0.7: 150 replicas more."), "It is 0.9 with a target of 0.7: 0.15 cores more.");
        assert_eq!(in_cores("It is low: one replica fewer."), "It is low: 0.001 cores less.");
        assert_eq!(in_cores("By the script: 200 replicas from 0 s on, until 20 s."), "By the script: 0.2 cores from 0 s on, until 20 s.");
        assert_eq!(in_cores("Nothing to do. Held at 200 by cooldown."), "Nothing to do. Held at 0.2 cores by cooldown.");
    }

    #[test]
    fn most_is_not_below_least() {
        assert!(parse::<K8sCpu>(&json!({ "min": 0.2, "max": 0.2 })).is_ok());
        assert_eq!(parse::<K8sCpu>(&json!({ "min": 0.2, "max": 0.1 })).unwrap_err()[0].field, "max");
    }
}
