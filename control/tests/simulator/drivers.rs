//! Stand-ins for a controller, and short ways to run a scenario.

use control::control_loop::{Effect, Input};
use control::observation::Observation;
use control::simulator::driver::Driver;
use control::simulator::run::{self, NoStopwatch, Prepared};
use control::simulator::scenario::Scenario;
use control::simulator::score::RunResult;

/// Plays moves by the clock, and keeps everything that it is told.
#[derive(Default)]
pub struct Player {
    /// Seconds and replicas.
    pub moves: Vec<(u64, u32)>,
    pub seen: Vec<Observation>,
    pub told: Vec<Input>,
}

impl Player {
    pub fn plays(moves: &[(u64, u32)]) -> Self {
        Self { moves: moves.to_vec(), ..Self::default() }
    }
}

impl Driver for Player {
    fn seen(&mut self, seen: &mut Observation) -> Vec<Effect> {
        self.seen.push(seen.clone());
        let due = |(at_s, _): &&(u64, u32)| at_s * 1000 == seen.at_ms;
        self.moves.iter().filter(due).map(|(_, to)| Effect::Move { to: *to }).collect()
    }

    fn told(&mut self, input: Input) -> Vec<Effect> {
        self.told.push(input);
        Vec::new()
    }
}

pub fn scenario(text: &str) -> Scenario {
    Scenario::parse(text).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// The scenario under a player of moves.
pub fn play(text: &str, moves: &[(u64, u32)]) -> (RunResult, Player) {
    let mut player = Player::plays(moves);
    let result = run::run(&Prepared::new(scenario(text)), "player", &mut player, &mut NoStopwatch, None);
    (result, player)
}
