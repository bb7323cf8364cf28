//! Loops that cannot see hold, and decide as soon as they see again.

use control::job::Bounds;
use control::observation::Items;
use serde_json::json;

use super::*;

/// Remembers what it was asked for.
#[derive(Default)]
struct Paper {
    wanted: Option<u32>,
}

impl Scalable for Paper {
    fn want(&mut self, replicas: u32, _: f64) {
        self.wanted = Some(replicas);
    }
}

/// Three replicas until the tenth second, then one; it decides every half minute.
fn loops() -> Loops {
    let script = json!({ "script": ["0: 3", "10: 1"] });
    let spec = LoopSpec {
        name: "script".to_owned(),
        controller: PluginSpec::new("scripted", script),
        metric: "progress_error".to_owned(),
        actuator: PluginSpec::new("local_replicas", json!({})),
        interval_s: 30.0,
    };
    Loops::new(&[spec], &[], &BTreeMap::new()).unwrap()
}

struct Look<'a> {
    at_s: u64,
    unseen: Option<&'a str>,
    metric: bool,
}

fn look(loops: &mut Loops, Look { at_s, unseen, metric }: Look<'_>) -> (Option<u32>, Vec<String>) {
    let metrics: BTreeMap<String, f64> = metric.then(|| ("progress_error".to_owned(), 0.0)).into_iter().collect();
    let seen = Observation {
        items: Items { total: 100, waiting: 100, ..Items::default() },
        bounds: Bounds { min: 1, max: 8, initial: 3 },
        allocation: Some(3),
        ..Observation::at(at_s * 1000)
    };
    let mut paper = Paper::default();
    let moment = Moment { wall_ms: 0, seen, metrics: &metrics, blind: Some("the monitor fails"), unseen, wanted: 3 };
    let outcome = loops.activate(&moment, &mut paper);
    (paper.wanted, outcome.marks.into_iter().map(|mark| mark.text).collect())
}

#[test]
fn who_cannot_see_the_replicas_holds_and_decides_at_once_when_it_can() {
    let mut loops = loops();
    assert_eq!(look(&mut loops, Look { at_s: 1, unseen: None, metric: true }).0, None);
    // It is due at 31, and blind.
    let (moved, said) = look(&mut loops, Look { at_s: 31, unseen: Some("what is known is 4 s old"), metric: true });
    assert_eq!(moved, None, "the script says one, and nobody may go now");
    assert_eq!(said, ["Loop script is blind and holds: what is known is 4 s old."]);
    let (moved, said) = look(&mut loops, Look { at_s: 32, unseen: Some("what is known is 5 s old"), metric: true });
    assert_eq!((moved, said.len()), (None, 0));
    // Not at 61, when it would be due.
    assert_eq!(look(&mut loops, Look { at_s: 33, unseen: None, metric: true }).0, Some(1));
    assert_eq!(look(&mut loops, Look { at_s: 34, unseen: None, metric: true }).0, None, "and then as often as before");
}

#[test]
fn a_monitor_that_fails_blinds_the_loops_on_its_metrics_until_it_reads() {
    let mut loops = loops();
    let (moved, said) = look(&mut loops, Look { at_s: 11, unseen: None, metric: false });
    assert_eq!((moved, said), (None, vec!["Loop script is blind and holds: the monitor fails.".to_owned()]));
    assert_eq!(look(&mut loops, Look { at_s: 12, unseen: None, metric: true }).0, Some(1));
}
