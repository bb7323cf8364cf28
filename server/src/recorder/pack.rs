//! Many lines of a recording in little room. An age is another number in every line, the moment it counts from is the
//! same one: packed lines tell moments, and so most of a line is what the line before said.

use std::io::{Read as _, Result, Write as _};

use control::control_loop::Input;
use control::observation::Observation;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::Line;

/// Stands before a line that tells moments.
const MOMENTS: char = '~';

/// Lines without their ends, deflated.
pub fn pack(lines: &[String]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    // Into memory: neither fails.
    for line in lines {
        drop(match with_moments(line) {
            Some(line) => writeln!(encoder, "{MOMENTS}{line}"),
            None => writeln!(encoder, "{line}"),
        });
    }
    encoder.finish().unwrap_or_default()
}

/// The lines of a pack, byte for byte as they were.
///
/// # Errors
/// What is not a pack.
pub fn unpack(pack: &[u8]) -> Result<Vec<String>> {
    let mut text = String::new();
    DeflateDecoder::new(pack).read_to_string(&mut text)?;
    let plain = |line: &str| match line.strip_prefix(MOMENTS) {
        Some(line) => Ok(swapped(line)?),
        None => Ok(line.to_owned()),
    };
    text.lines().map(plain).collect()
}

/// `None` when the way back would not lead to the same bytes.
fn with_moments(line: &str) -> Option<String> {
    let packed = swapped(line).ok()?;
    (swapped(&packed).ok()? == line).then_some(packed)
}

/// Ages become moments, and moments ages.
fn swapped(line: &str) -> serde_json::Result<String> {
    let mut line = serde_json::from_str::<Line>(line)?;
    if let Line::Told { input: Input::Seen(seen), .. } = &mut line {
        swap(seen);
    }
    serde_json::to_string(&line)
}

fn swap(seen: &mut Observation) {
    let at_ms = seen.at_ms;
    let ages = seen.in_flight.iter_mut().map(|item| &mut item.age_ms);
    // Wrapping: what is older than the job has a moment, too.
    for age in ages.chain(seen.replicas.iter_mut().map(|replica| &mut replica.age_ms)) {
        *age = at_ms.wrapping_sub(*age);
    }
}

#[cfg(test)]
mod tests {
    use super::{pack, unpack};

    #[test]
    fn lines_come_back_as_they_were() {
        let seen = |at: u64, age: u64| {
            format!(
                r#"{{"told":{{"input":{{"seen":{{"at_ms":{at},"confidence":0.99,"items":{{"total":9,"waiting":8,"processing":1,"done":0,"dead":0}},"in_flight":[{{"replica":"a","age_ms":{age}}}],"replicas":[{{"id":"a","state":"busy","age_ms":{age}}}],"bounds":{{"min":1,"max":2,"initial":1}}}}}},"said":7}}}}"#
            )
        };
        // The last two: a replica that is older than its job, and a line of which nothing is understood.
        let lines = [seen(1000, 900), seen(2000, 1900), seen(3000, 0), seen(5, 70_000), "{\"told\": 1}".to_owned()];
        assert_eq!(unpack(&pack(&lines)).expect("a pack"), lines);
    }

    #[test]
    fn moments_pack_better_than_ages() {
        let line = |at: u64, age: u64| {
            format!(
                r#"{{"told":{{"input":{{"seen":{{"at_ms":{at},"confidence":0.99,"items":{{"total":9,"waiting":8,"processing":1,"done":0,"dead":0}},"replicas":[{{"id":"a","state":"busy","age_ms":{age}}},{{"id":"b","state":"busy","age_ms":{}}}],"bounds":{{"min":1,"max":2,"initial":1}}}}}},"said":7}}}}"#,
                age + 317
            )
        };
        let of_one_birth: Vec<String> = (0..200).map(|tick| line(1003 * tick + 900, 1003 * tick)).collect();
        // The same numbers, but no line tells the same moment as another.
        let of_many: Vec<String> = (0..200).map(|tick| line(1003 * tick + 900, 1003 * tick + 7 * (tick * tick) % 89)).collect();
        assert!(pack(&of_one_birth).len() < pack(&of_many).len());
    }
}
