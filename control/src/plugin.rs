//! The one shape of every plugin: a kind, a params struct that declares its own check, schema and form.
//! Stored as `{"kind", "params"}`, so that removing a plugin never makes an old job unreadable.

use std::fmt;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::form::{self, Field};

/// What every plugin declares, whatever it does: monitors, controllers, actuators, platforms.
pub trait Plugin: 'static {
    /// The name by which submissions choose it, in snake case.
    const KIND: &'static str;
    /// A few words for people.
    const TITLE: &'static str;
    /// One sentence: what it does, and when to choose it.
    const ABOUT: &'static str;
    /// What the user sets. Every field has a doc comment (help) and, through
    /// `#[schemars(extend("x-unit" = …, "x-step" = …))]` and a garde range, its unit, step and bounds.
    type Params: Serialize + DeserializeOwned + JsonSchema + Validate<Context = ()> + Default + Clone + Send + Sync;
}

/// A choice of plugin with its parameters, as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginSpec {
    pub kind: String,
    #[serde(default = "empty")]
    pub params: Value,
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

impl PluginSpec {
    pub fn new(kind: &str, params: Value) -> Self {
        Self { kind: kind.to_owned(), params }
    }
}

/// One thing wrong with one field of what a person sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// Dotted path as in the JSON body, such as `loops.0.controller.params.kp`.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// The same problem, seen from the enclosing object.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        self.field = match (prefix.is_empty(), self.field.is_empty()) {
            (true, _) => self.field,
            (_, true) => prefix.to_owned(),
            _ => format!("{prefix}.{}", self.field),
        };
        self
    }
}

impl fmt::Display for FieldError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() { to.write_str(&self.message) } else { write!(to, "{} {}", self.field, self.message) }
    }
}

/// All problems in one line.
pub fn sentences(errors: &[FieldError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// What a form, a tuning panel or a docs page needs to know of one plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindInfo {
    pub kind: String,
    pub title: String,
    pub about: String,
    pub fields: Vec<Field>,
}

/// All kinds that this server offers, for forms and docs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    pub controllers: Vec<KindInfo>,
    pub monitors: Vec<KindInfo>,
    pub actuators: Vec<KindInfo>,
    pub platforms: Vec<KindInfo>,
    /// What a submission may say of its queue.
    pub queue: Vec<Field>,
}

/// Describes a plugin by its declaration alone.
pub fn describe<P: Plugin>() -> KindInfo {
    KindInfo { kind: P::KIND.to_owned(), title: P::TITLE.to_owned(), about: P::ABOUT.to_owned(), fields: form::fields::<P::Params>() }
}

/// Reads and checks parameters: unknown fields, wrong types, bounds and non-finite numbers,
/// all problems at once, each by its field. Missing fields take their defaults.
pub fn parse<P: Plugin>(params: &Value) -> Result<P::Params, Vec<FieldError>> {
    form::parse::<P::Params>(params)
}
