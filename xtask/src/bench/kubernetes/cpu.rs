//! CPU of running pods, changed in place: the server's own test on the cluster, which says what it saw.

use anyhow::{Result, bail};

use crate::cluster::Ground;

const TEST: &str = "one_loop_holds_cpu_at_70_percent_beside_one_on_progress_and_nothing_restarts";

pub fn measure(ground: &Ground) -> Result<String> {
    let output = ground.tests(&[TEST, "--nocapture"])?.output()?;
    let printed = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        bail!("{TEST} failed:\n{printed}");
    }
    let rows: Vec<&str> = printed.lines().filter(|line| line.starts_with('|')).collect();
    Ok(format!(
        "The law `target` on 0.7 of the pods' CPU, looking each second, beside a loop on replicas; the debug build of the server's tests.\n\
         The worker wants 0.35 of a core and is given 0.2 to begin with; later it wants 0.1.\n\
         Latency is from the time on a decision's mark to when the pod's own status has the new CPU, looked at each 50 ms.\n\n\
         | What | |\n| --- | ---: |\n{}",
        rows.join("\n")
    ))
}
