//! What happens to a job, told to its platform for whoever looks there.

use control::job::Phase;
use control::live::{Mark, MarkKind};

use super::Replicas;
use crate::platform::Told;

impl Replicas {
    /// Tells the platform what the job's page is told.
    pub fn tell(&self, marks: &[Mark]) {
        let told: Vec<Told> = marks.iter().map(told).collect();
        if !told.is_empty() {
            self.platform.tell(&self.job, &self.params, &told, false);
        }
    }

    /// The job's last words.
    pub fn tell_end(&self, phase: Phase, reason: Option<&str>) {
        let text =
            reason.map_or_else(|| format!("The job is {}.", phase.word()), |reason| format!("The job is {}: {reason}", phase.word()));
        let reason = match phase {
            Phase::Completed => "Completed",
            Phase::Stopped => "Stopped",
            Phase::Terminated => "Terminated",
            _ => "Failed",
        };
        self.platform.tell(&self.job, &self.params, &[Told { reason, warns: phase == Phase::Failed, text }], true);
    }
}

fn told(mark: &Mark) -> Told {
    let (reason, warns) = match mark.kind {
        MarkKind::More => ("ScaledUp", false),
        MarkKind::Fewer => ("ScaledDown", false),
        MarkKind::Tuned => ("Tuned", false),
        MarkKind::Failure => ("Trouble", true),
        MarkKind::Info => ("Told", false),
    };
    Told { reason, warns, text: mark.text.clone() }
}
