//! Prediction: what an item takes, what a start-up takes, and when the job will be done with a given allocation.
//! Transcendental functions come from `libm`, so that server and browser agree to the last bit.

pub mod finish;
pub mod level;
pub mod normal;
pub mod order;
pub mod service;
pub mod shape;
pub mod startup;
