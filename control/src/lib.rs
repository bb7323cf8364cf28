//! The law: what a job is, what a loop sees and what it decides. Pure: no clock, no chance, no IO.
//! Compiled for the server and for the browser, so that both know the same words. In reading order:

// What every plugin declares.
pub mod plugin;

// From that declaration to a form, and back from what was posted.
pub mod form;

// What a person submits.
pub mod job;

// What a loop sees of it.
pub mod observation;

// Where it should be by now.
pub mod plan;

// When it will be done.
pub mod forecast;

// Which replicas go first.
pub mod victims;

// How that is foreseen.
pub mod prediction;

// What a law answers.
pub mod decision;

// The laws.
pub mod controllers;

// What no law may overstep.
pub mod guard;

// One law at work.
pub mod control_loop;

// The same on a pipe.
pub mod pipe;

// Several at one actuator.
pub mod join;

// What pages are told of it all.
pub mod live;

// A job to try laws on.
pub mod simulator;
