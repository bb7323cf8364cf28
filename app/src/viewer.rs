//! Who looks at the page. The server puts it into the context of every request of a signed-in person.

use serde::{Deserialize, Serialize};

/// The signed-in person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// For people; written beside what they change.
    pub name: String,
}
