//! What the page calls an input, for the list of problems on top of it.

use control::{
    form::Field,
    plugin::{Catalog, KindInfo},
};

/// The label of an input; `None` where no input has this name.
pub fn label(input: &str, catalog: &Catalog) -> Option<String> {
    let parts: Vec<&str> = input.split('.').collect();
    let words = match parts.as_slice() {
        ["name"] => "Name",
        ["workload", "source"] => "Where the items come from",
        ["workload", "items"] => "Items",
        ["workload", "upload"] => "File",
        ["workload", "url"] => "Address",
        ["objective", "deadline_s"] => "Done within",
        ["objective", "confidence"] => "How surely",
        ["objective", "service_s"] => "An item takes about",
        ["replicas", "min"] => "Fewest replicas",
        ["replicas", "max"] => "Most replicas",
        ["replicas", "initial"] => "Replicas at the start",
        ["queue", field] => return catalog.queue.iter().find(|one| one.name == **field).map(|one| one.title.clone()),
        ["platform", "kind"] => "Run on",
        ["platform", kind, field @ ..] => return title(&catalog.platforms, kind, field),
        ["monitors", kind, "on"] => return catalog.monitors.iter().find(|info| info.kind == **kind).map(|info| info.title.clone()),
        ["monitors", kind, field @ ..] => return title(&catalog.monitors, kind, field),
        ["loops", place, rest @ ..] => {
            let whose = if *place == "0" { "Controller" } else { "Second controller" };
            return of_loop(rest, catalog).map(|words| format!("{whose}, {words}"));
        }
        _ => return None,
    };
    Some(words.to_owned())
}

fn of_loop(parts: &[&str], catalog: &Catalog) -> Option<String> {
    let words = match parts {
        ["name"] => "name of the loop",
        ["metric"] => "metric",
        ["interval_s"] => "seconds between decisions",
        ["controller", "kind"] => "law",
        ["actuator", "kind"] => "what it moves",
        ["controller", kind, field @ ..] => return title(&catalog.controllers, kind, field).map(|title| title.to_lowercase()),
        ["actuator", kind, field @ ..] => return title(&catalog.actuators, kind, field).map(|title| title.to_lowercase()),
        _ => return None,
    };
    Some(words.to_owned())
}

fn title(kinds: &[KindInfo], kind: &str, field: &[&str]) -> Option<String> {
    let name = field.join(".");
    let named = |one: &&Field| one.name == name;
    kinds.iter().find(|info| info.kind == kind)?.fields.iter().find(named).map(|field| field.title.clone())
}
