//! What a user says of a Job that is there already.

use control::plugin::FieldError;
use garde::Validate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Adopted;
use crate::platform::{
    kubejobs::{Clusters, names, params::place_of},
    read::{joined, read},
};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(default, deny_unknown_fields)]
pub struct AdoptedParams {
    /// The name of the Job. It must have completions, of which some are left; its pods are not changed.
    #[garde(skip)]
    #[schemars(title = "Job")]
    pub job: String,
    /// Its namespace. Empty: the server's own choice, which its administrator set.
    #[garde(skip)]
    #[schemars(title = "Namespace")]
    pub namespace: String,
    /// Which cluster, by the name that an administrator gave it. Empty: the server's own.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(title = "Cluster")]
    pub cluster: Option<String>,
}

/// Reads the params and checks them, and that this server has the cluster. The namespace is filled in.
///
/// # Errors
/// All problems at once, by their path in the spec.
pub fn check(params: &Value, clusters: &Clusters) -> Result<AdoptedParams, Vec<FieldError>> {
    let (read, unread) = read::<Adopted>(params);
    let mut read = read.unwrap_or_default();
    let mut found = Vec::new();
    for (field, name) in [("job", &read.job), ("namespace", &read.namespace)] {
        if (field == "job" || !name.is_empty())
            && let Err(why) = names::object(name)
        {
            found.push(FieldError::new(field, why));
        }
    }
    let mut errors: Vec<FieldError> = joined(unread, found).into_iter().map(|error| error.under("params")).collect();
    place_of(&mut read.cluster, &mut read.namespace, clusters, &mut errors);
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}
