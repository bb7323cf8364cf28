//! A job simulated event by event, with a controller that looks at it at every tick. Pure, and the same bytes
//! on every machine. In reading order:

// Chance from a seed.
pub mod random;

// How long things take.
pub mod distribution;

// What a person writes down.
pub mod scenario;

// What is wrong with it.
mod check;

// The same, drawn: every item with its length.
pub mod world;

// The simulated job.
pub mod plant;

// What moves its replicas.
pub mod driver;

// One scenario under one controller.
pub mod run;

// What hindsight would have done.
pub mod clairvoyant;

// What came of it.
pub mod score;

// Other people's rules.
pub mod peers;

// Many scenarios from one seed.
pub mod grid;

// Who is tried on them, and with which settings.
pub mod contest;

// Tables of many results.
pub mod report;
