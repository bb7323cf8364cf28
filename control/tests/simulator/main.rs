//! The simulator's tests: tiny jobs worked out by hand, what holds for any job, and what the grid promises.

mod any;
mod drivers;
mod grid;
mod hand;
mod hindsight;
mod peers;
mod same;
mod scenario;
mod scored;
