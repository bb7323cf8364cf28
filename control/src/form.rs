//! From one declaration of parameters to the fields of a form, and from what was posted back to parameters.
//! The JSON schema is the only source; reading reports every problem at once.

mod dotted;
mod read;
mod schema;

use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::plugin::FieldError;

pub use dotted::unflatten;

/// One field that a person can set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Dotted path inside the params, such as `guards.cooldown_s`.
    pub name: String,
    /// A few words for a label; a unit suffix of the name is left out.
    pub title: String,
    /// The doc comment; for a choice the meaning of each value follows.
    pub help: String,
    pub kind: FieldKind,
    /// Such as `s` or `replicas`.
    pub unit: Option<String>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub step: Option<f64>,
    /// In the field's own JSON type; null where nothing is set.
    pub default: Value,
    /// Declared with `x-secret`: never shown again.
    #[serde(default)]
    pub secret: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    Number,
    Integer,
    Bool,
    Text,
    /// `Vec<String>`; as text one entry a line, blank lines are left out.
    Lines,
    /// `BTreeMap<String, String>`; as text one `KEY=value` a line.
    Map,
    /// One of these words.
    Choice(Vec<String>),
}

/// The fields of a params struct, in order of declaration; nested structs are flattened to dotted names.
///
/// # Panics
/// When the struct declares a shape that no form can show, which every test of a catalog finds.
pub fn fields<P: JsonSchema + Serialize + Default>() -> Vec<Field> {
    let defaults = defaults::<P>();
    let mut fields = Vec::new();
    schema::read::<P>().flatten("", &defaults, &mut fields);
    fields
}

/// Reads and checks parameters, all problems at once, each by its field. Missing fields take their
/// defaults. Strings are read by the type of the field, as forms post nothing else: `"1.5"`, `"on"`,
/// lines. An unchecked checkbox is not posted at all and so takes its default: a form sends `off`.
pub fn parse<P>(value: &Value) -> Result<P, Vec<FieldError>>
where
    P: Serialize + DeserializeOwned + JsonSchema + Validate<Context = ()> + Default,
{
    let mut errors = Vec::new();
    let checked = read::object(&schema::read::<P>(), value, &defaults::<P>(), &mut errors);
    let params: P = match serde_json::from_value(checked) {
        Ok(params) => params,
        Err(cause) => {
            errors.push(FieldError::new("", format!("could not be read: {cause}")));
            return Err(errors);
        }
    };
    if let Err(report) = params.validate() {
        for (path, error) in report.iter() {
            // Garde writes places as `[0]`, we as `.0`.
            let field = path.to_string().replace('[', ".").replace(']', "");
            if !errors.iter().any(|known| known.field == field) {
                errors.push(FieldError::new(field, error.message()));
            }
        }
    }
    if errors.is_empty() { Ok(params) } else { Err(errors) }
}

fn defaults<P: Serialize + Default>() -> Value {
    serde_json::to_value(P::default()).expect("params are plain data with text keys")
}
