//! Several loops on one actuator.

use control::join::{Join, join};

#[test]
fn the_rule_chooses_and_the_first_wins_among_equals() {
    let wishes = [("cpu", 3), ("pace", 5), ("cost", 2), ("tail", 5)].map(|(name, to)| (name.to_owned(), to));
    assert_eq!(join(&wishes, Join::Max), Some((5, "pace".to_owned())));
    assert_eq!(join(&wishes, Join::Min), Some((2, "cost".to_owned())));
    assert_eq!(join(&[], Join::default()), None);
}
