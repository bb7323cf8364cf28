//! The law's tests: golden tables, laws that hold for any input, and stories of one loop.

mod catalog;
mod control_loop;
mod every;
mod form;
mod guards;
mod join;
mod original;
mod pid;
mod plan;
mod scripted;
mod seen;
mod stored;
mod stream;
mod target;
mod threshold;
mod victims;
