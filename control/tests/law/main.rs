//! The law's tests: golden tables, laws that hold for any input, and stories of one loop.

mod catalog;
mod control_loop;
mod form;
mod guards;
mod join;
mod pid;
mod plan;
mod seen;
mod stored;
mod threshold;
