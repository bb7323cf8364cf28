//! A submission back into the form that could have sent it, so that it can be changed and sent again.

use std::collections::BTreeMap;

use control::{
    job::{JobSpec, Order, Workload},
    live::JobDetail,
    plugin::{Catalog, KindInfo, PluginSpec},
};
use serde_json::Value;

use super::{
    labels::label,
    names,
    submitted::{Filled, SubmitForm},
};
use crate::api::submission::SubmitPage;

/// The page as it is drawn: refused, filled from a job, or fresh.
pub fn page(catalog: Catalog, metrics: Vec<(String, Vec<String>)>, refused: Option<SubmitForm>, job: Option<&JobDetail>) -> SubmitPage {
    let form = refused.or_else(|| job.map(|job| filled(&job.spec, &catalog))).unwrap_or_default();
    let labels = Filled::new(form.clone()).errors().iter().map(|error| label(&error.field, &catalog)).collect();
    let from = job.map(|job| (job.summary.id.clone(), job.summary.name.clone()));
    SubmitPage { catalog, metrics, form, labels, from }
}

type Values = BTreeMap<String, String>;

fn filled(spec: &JobSpec, catalog: &Catalog) -> SubmitForm {
    let mut values = Values::new();
    let mut put = |name: &str, value: String| values.insert(name.to_owned(), value);
    put("name", spec.name.clone());
    put("objective.deadline_s", spec.objective.deadline_s.to_string());
    put("objective.confidence", spec.objective.confidence.to_string());
    put("objective.service_s", spec.objective.service_s.map(|seconds| seconds.to_string()).unwrap_or_default());
    put("replicas.min", spec.replicas.min.to_string());
    put("replicas.max", spec.replicas.max.to_string());
    put("replicas.initial", spec.replicas.initial.to_string());
    put("queue.max_attempts", spec.queue.max_attempts.to_string());
    put("queue.order", if spec.queue.order == Order::Lifo { "lifo" } else { "fifo" }.to_owned());
    put("queue.backend", spec.queue.backend.clone().unwrap_or_else(|| "embedded".to_owned()));
    put("queue.url", spec.queue.url.clone().unwrap_or_default());
    let (source, field, text) = match &spec.workload {
        Workload::Inline { items } => ("inline", "workload.items", items),
        Workload::Upload { upload } => ("upload", "workload.upload", upload),
        Workload::Url { url } => ("url", "workload.url", url),
    };
    put("workload.source", source.to_owned());
    put(field, text.clone());
    chosen("platform", &spec.platform, &catalog.platforms, &mut values);
    for monitor in &spec.monitors {
        values.insert(format!("monitors.{}.on", monitor.kind), "on".to_owned());
        params(&format!("monitors.{}", monitor.kind), monitor, &catalog.monitors, &mut values);
    }
    for (place, one) in spec.loops.iter().enumerate() {
        let at = format!("loops.{place}");
        values.insert(format!("{at}.on"), "on".to_owned());
        values.insert(format!("{at}.name"), one.name.clone());
        values.insert(format!("{at}.metric"), one.metric.clone());
        values.insert(format!("{at}.interval_s"), one.interval_s.to_string());
        chosen(&format!("{at}.controller"), &one.controller, &catalog.controllers, &mut values);
        chosen(&format!("{at}.actuator"), &one.actuator, &catalog.actuators, &mut values);
    }
    SubmitForm { values, ..SubmitForm::default() }
}

fn chosen(at: &str, plugin: &PluginSpec, kinds: &[KindInfo], values: &mut Values) {
    values.insert(format!("{at}.kind"), plugin.kind.clone());
    params(&format!("{at}.{}", plugin.kind), plugin, kinds, values);
}

/// By the declared fields, since only they say whether an object is a map or a group. Secrets stay where they are.
fn params(at: &str, plugin: &PluginSpec, kinds: &[KindInfo], values: &mut Values) {
    let fields = kinds.iter().find(|info| info.kind == plugin.kind).map_or(&[][..], |info| &info.fields);
    for field in fields.iter().filter(|field| !field.secret) {
        let pointer = format!("/{}", field.name.replace('.', "/"));
        let value = plugin.params.pointer(&pointer).filter(|value| **value != Value::Null);
        if let Some(value) = value {
            values.insert(format!("{at}.{}", field.name), names::text(value));
        }
    }
}
