//! What a platform needs to find a replica again, as it is stored.

use serde::{Deserialize, Serialize};

/// Names one replica for good.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Handle {
    pub replica: String,
    pub job: String,
    #[serde(flatten)]
    pub place: Place,
}

/// Where a replica runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Place {
    /// A pid alone may be reused, a pid with its start time is not.
    Process {
        pid: u32,
        /// Clock ticks from the machine's boot to the start of the process (`/proc/<pid>/stat`, field 22).
        start_ticks: u64,
    },
    /// The pod itself comes later than its handle, and says in a label whose it is.
    Pod { namespace: String },
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Handle, Place};

    #[test]
    fn handles_are_stored_flat_and_those_of_earlier_versions_are_read() {
        let old = json!({"replica": "kj-1-r2", "job": "kj-1", "pid": 4711, "start_ticks": 12_345_678_901_u64});
        let handle: Handle = serde_json::from_value(old.clone()).unwrap();
        assert_eq!(handle.place, Place::Process { pid: 4711, start_ticks: 12_345_678_901 });
        assert_eq!(serde_json::to_value(&handle).unwrap(), old);
        let pod = json!({"replica": "kj-1-r2", "job": "kj-1", "namespace": "batch"});
        let handle: Handle = serde_json::from_value(pod.clone()).unwrap();
        assert_eq!(handle.place, Place::Pod { namespace: "batch".to_owned() });
        assert_eq!(serde_json::to_value(&handle).unwrap(), pod);
    }
}
